"""Photographs to classify: every face that a detector finds in each of them."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from fergen.data import align
from fergen.data.detect import Detector
from fergen.data.inputs import Input, Size

LOOK = 128  # pixels of the side of a face that is kept to be looked at, at most


def faces(
    photographs: Iterable[Input], find: Detector, size: Size, channels: int, missed: Callable[[str | int], None]
) -> Iterator[Input]:
    """Yield every face of some pictures, aligned, from left to right.

    Faces are cut out at once: photographs take megabytes, and many faces wait to be classified together.

    Args:
        photographs: of people, not of faces cut out.
        find: see `fergen.data.detect.detector`.
        size: (height, width) of the faces to classify.
        channels: of these.
        missed: called with the source of each picture without a face.
    """
    for photograph in photographs:
        picture = photograph.decode(None, None)
        there = sorted(find(picture), key=lambda face: face.box[0])
        for face in there:
            side = min(max(1, round(max(face.box[2:]))), LOOK)
            cut = align.crop(picture, face, size=size, channels=channels)
            look = align.crop(picture, face, size=(side, side), channels=picture.shape[-1])
            yield Input(photograph.source, _kept(cut, look), face.box)
        if not there:
            missed(photograph.source)


def _kept(cut: np.ndarray, look: np.ndarray) -> Callable[[Size | None, int | None], np.ndarray]:
    """Return the `decode` of an `Input`: the face to classify, or without a size the one to look at."""
    return lambda size, channels: look if size is None else cut
