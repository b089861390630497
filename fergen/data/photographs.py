"""From photographs to faces: find one in each, take it, and cut it out as classifiers expect it.

A first pass looks for faces and writes down which were taken and which photographs have none; images are then decoded
and cut out as they are asked for, so that a set larger than memory streams through.
"""

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from fergen.core.clock import Progress
from fergen.core.errors import BadInput
from fergen.core.paths import atomic_write
from fergen.data import align, face_table
from fergen.data.detect import DEFAULT, Detector, Face, detector, largest, within
from fergen.data.images import ImageFiles, clipped, decode
from fergen.data.sources import Rows

FACES, REJECTS = "faces.csv", "rejects.csv"
SIDE = 112
"""Pixels a side of a face where no size is asked for."""
LOOKED_AT = 1024
"""Photographs are shrunk to this many pixels a side to look for faces in them: those of 24 pixels there are found."""
MARGINS = (-0.4, 2.0)
SAME = 0.3
"""Overlap from which a face found is the one that a source's own box is around, as a share of their union."""
AT_ONCE = 4  # decoded photographs in memory, which may have 64 megapixels each


@dataclass(frozen=True)
class Found:
    """The faces of a source's photographs.

    Attributes:
        rows: those photographs with a face, their images cut out.
        names: of their files.
        faces: the face taken from each.
        counts: how many there were in each.
        rejects: (file, reason) of the others.
    """

    rows: Rows
    names: list[str]
    faces: list[Face]
    counts: list[int]
    rejects: list[tuple[str, str]]

    def write(self, folder: Path) -> None:
        """Write faces.csv, which may be given back as boxes of one's own, and rejects.csv."""
        face_table.write(folder / FACES, self.names, self.faces, self.counts)
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows([("file", "reason"), *self.rejects])
        atomic_write(folder / REJECTS, text.getvalue())


class FaceFiles(ImageFiles):
    """Faces cut out of photographs on access.

    Args:
        of: the photographs.
        chosen: which of them, and `faces` where their faces are.
        margin: see `fergen.data.align.crop`.
        size: (height, width) in pixels.
        channels: 1 or 3.
    """

    def __init__(
        self,
        of: ImageFiles,
        chosen: Sequence[int],
        faces: Sequence[Face],
        *,
        margin: float,
        size: tuple[int, int],
        channels: int,
    ):
        super().__init__(of.files, [of.names[i] for i in chosen], size=size, channels=channels)
        self.faces, self.margin, self.side = faces, margin, size

    def image(self, i: int) -> np.ndarray:
        """Decode photograph i and cut its face out, uint8 [h, w, c]."""
        name, face = self.names[i], self.faces[i]
        where = self.files.where(name)
        picture = decode(self.files.read(name), where=where, channels=self.channels)
        clipped(face.box, picture.shape[1], picture.shape[0], where)
        return align.crop(picture, face, size=self.side, channels=self.shape[3], margin=self.margin)


def finder(
    align: str | None, boxes: Path | None, *, margin: float | None, skip: bool, quiet: bool
) -> Callable[[Rows], Found]:
    """Return what finds the faces of a source's photographs, once its options are right.

    Args:
        align: name of a detector.
        boxes: a table of the faces, instead.
        margin: None is none.
        skip: see `find`.
        quiet: see `find`.

    Raises:
        BadInput: both or neither, a margin out of range, no such detector, or a table that is none.
    """
    if bool(align) == bool(boxes):
        raise BadInput(
            "--align finds faces and --boxes names them: expected one of both"
            if align
            else "--margin goes with --align or --boxes"
        )
    if margin is not None and not MARGINS[0] <= margin <= MARGINS[1]:
        raise BadInput(f"--margin: expected from {MARGINS[0]} to {MARGINS[1]} sides of a face, found {margin:g}")
    look = face_table.read(boxes) if boxes else detector(align or DEFAULT)
    return partial(find, look=look, margin=margin or 0.0, skip=skip, quiet=quiet)


def find(
    rows: Rows,
    look: Detector | Mapping[str, list[Face]],
    *,
    margin: float = 0.0,
    skip: bool = False,
    quiet: bool = False,
) -> Found:
    """Find a face in each photograph of a source.

    Of several the largest is taken; where the source has a box of its own for a photograph, the one inside it.

    Args:
        rows: of a source whose images are files.
        look: a detector, or a user's own faces by file name, see `fergen.data.face_table`.
        margin: added on each side of the crop, as a share of its side.
        skip: reject unreadable photographs rather than stop.
        quiet: show no progress.

    Raises:
        BadInput: the source's images are no files, a damaged photograph, faces of a file that is not there, or no face
            in any of them.
    """
    images = rows.images
    if not isinstance(images, ImageFiles):
        raise BadInput("--align and --boxes are for photographs in files; this source's faces are cropped already")
    if isinstance(look, Mapping):
        known = set(images.files.names)
        if unknown := next((name for name in look if name not in known), None):
            raise BadInput(f"--boxes: expected files of {images.files.path}, found {unknown!r}, which is not there")
        answers = (look.get(name) or "no row in the table of boxes" for name in images.names)
    else:
        answers = detected(images, within(look, LOOKED_AT), skip=skip, quiet=quiet)
    kept, faces, counts, rejects = [], [], [], []
    for i, answer in enumerate(answers):
        if isinstance(answer, str):
            rejects.append((images.names[i], answer))
            continue
        own = None if images.boxes is None or isinstance(look, Mapping) else images.boxes[i]
        face = largest(answer) if own is None else inside(answer, own)
        if face is None:
            rejects.append((images.names[i], "no face in its box"))
            continue
        kept.append(i)
        faces.append(face)
        counts.append(len(answer))
    reasons = Counter(reason.split(":")[0] for _, reason in rejects)
    if not kept:
        raise BadInput(f"{images.files.path}: expected photographs of faces, found none in {dict(reasons)}")
    size, channels = images.size or (SIDE, SIDE), images.shape[3]
    several = sum(count > 1 for count in counts)
    taken = replace(
        rows,
        images=FaceFiles(images, kept, faces, margin=margin, size=size, channels=channels),
        label=rows.label[kept],
        split=rows.split[kept],
        id=rows.id[kept],
        extras={key: value[kept] for key, value in rows.extras.items()},
        dropped=dict(Counter(rows.dropped) + reasons),
        notes=[
            *rows.notes,
            f"faces were found in {len(kept):,} of {len(images):,} photographs ({FACES}; {REJECTS} lists the others)",
            *([f"{several:,} of them show several faces: one was taken of each"] if several else []),
        ],
    )
    return Found(taken, [images.names[i] for i in kept], faces, counts, rejects)


def detected(images: ImageFiles, look: Detector, *, skip: bool, quiet: bool) -> Iterator[list[Face] | str]:
    """Yield each photograph's faces, or why there are none."""

    def opened(i: int) -> np.ndarray | BadInput:
        try:
            name = images.names[i]
            # In colour where there is any, whatever the set is to have: detectors see more in it.
            return decode(images.files.read(name), where=images.files.where(name))
        except BadInput as error:
            if not skip:
                raise
            return error

    todo = iter(range(len(images)))
    with (
        ThreadPoolExecutor(AT_ONCE) as pool,
        Progress(len(images), label="finding faces:", quiet=quiet) as progress,
    ):
        while part := list(islice(todo, AT_ONCE)):
            for picture in pool.map(opened, part):
                if isinstance(picture, BadInput):
                    yield f"unreadable: {picture}"
                else:
                    yield [face for face in look(picture) if lies_on(face, picture)] or "no face found"
                progress.update()


def lies_on(face: Face, picture: np.ndarray) -> bool:
    """Whether half of a face's box is on the picture: one at its edge that is mostly guessed is none to learn from."""
    try:
        clipped(face.box, picture.shape[1], picture.shape[0], "")
    except BadInput:
        return False
    return True


def inside(faces: Sequence[Face], box: Sequence[float]) -> Face | None:
    """Return the face that a box is around, or None."""
    best = max(faces, key=lambda face: overlap(face.box, box))
    return best if overlap(best.box, box) >= SAME else None


def overlap(a: Sequence[float], b: Sequence[float]) -> float:
    """Return what two boxes (x, y, width, height) share, as a share of their union."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    shared = max(width, 0.0) * max(height, 0.0)
    return shared / (a[2] * a[3] + b[2] * b[3] - shared)
