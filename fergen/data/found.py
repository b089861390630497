"""Photographs to classify: every face that a detector finds in each of them."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from fergen.data import align
from fergen.data.detect import Detector, Face
from fergen.data.inputs import Input, Size


def faces(photographs: Iterable[Input], find: Detector, missed: Callable[[str | int], None]) -> Iterator[Input]:
    """Yield every face of some pictures, aligned, from left to right.

    Args:
        photographs: of people, not of faces cut out.
        find: see `fergen.data.detect.detector`.
        missed: called with the source of each picture without a face.
    """
    for photograph in photographs:
        picture = photograph.decode(None, None)
        there = sorted(find(picture), key=lambda face: face.box[0])
        for face in there:
            yield Input(photograph.source, _cut(picture, face), face.box)
        if not there:
            missed(photograph.source)


def _cut(picture: np.ndarray, face: Face) -> Callable[[Size | None, int | None], np.ndarray]:
    side = max(1, round(max(face.box[2:])))

    def decode(size: Size | None, channels: int | None) -> np.ndarray:
        return align.crop(picture, face, size=size or (side, side), channels=channels or picture.shape[-1])

    return decode
