"""Faces as a table: which file, which box, and five points where they are known."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fergen.core.errors import BadInput
from fergen.core.paths import atomic_write
from fergen.data.archive import open_text
from fergen.data.detect import Face

BOX = ("x", "y", "width", "height")
POINTS = tuple(f"{part}_{axis}" for part in ("eye_1", "eye_2", "nose", "mouth_1", "mouth_2") for axis in "xy")
"""1 is on the picture's left, 2 on its right."""


def read(path: Path) -> dict[str, list[Face]]:
    """Read a table of faces.

    Args:
        path: a CSV (plain, .gz or .zip) with the columns file, x, y, width, height, in pixels of the upright picture;
            where it has the ten of `POINTS` as well and a row fills them, they decide how the face is cut out. Other
            columns are allowed; several rows of a file are several faces.

    Returns:
        file name -> its faces.

    Raises:
        BadInput: a missing column or name, a box or points that are no numbers, or no rows.
    """
    faces: dict[str, list[Face]] = {}
    with open_text(path) as text:
        reader = csv.reader(text)
        try:
            header = [name.strip().lower() for name in next(reader, [])]
            if missing := [name for name in ("file", *BOX) if name not in header]:
                raise BadInput(f"{path}: expected the columns file, {', '.join(BOX)}, found no {', '.join(missing)}")
            lacking = [name for name in POINTS if name not in header]
            if 0 < len(lacking) < len(POINTS):
                raise BadInput(f"{path}: expected all or none of {', '.join(POINTS)}, found no {', '.join(lacking)}")
            for cells in reader:
                if cells:
                    where = f"{path}, line {reader.line_num}"
                    if len(cells) < len(header):
                        raise BadInput(f"{where}: expected {len(header)} columns, found {len(cells)}")
                    row = dict(zip(header, cells))
                    name = row["file"].strip().replace("\\", "/").removeprefix("./")
                    if not name:
                        raise BadInput(f"{where}: expected a file name, found none")
                    faces.setdefault(name, []).append(_face(row, not lacking, where))
        except csv.Error as error:
            raise BadInput(f"{path}: expected a CSV, found something unreadable ({error})") from None
    if not faces:
        raise BadInput(f"{path}: expected rows below the header, found none")
    return faces


def _face(row: dict[str, str], pointed: bool, where: str) -> Face:
    x, y, w, h = _numbers(row, BOX, where)
    if w < 1 or h < 1:
        raise BadInput(f"{where}: expected a face box of at least 1x1 pixels, found {w:g}x{h:g}")
    pointed = pointed and any(row[name].strip() for name in POINTS)
    points = np.array(_numbers(row, POINTS, where), np.float32).reshape(5, 2) if pointed else None
    return Face((x, y, w, h), 1.0, points)


def _numbers(row: dict[str, str], names: Sequence[str], where: str) -> list[float]:
    try:
        numbers = [float(row[name]) for name in names]
    except ValueError:
        numbers = []
    if not numbers or not np.isfinite(numbers).all():
        found = ", ".join(row[name][:20] for name in names)
        raise BadInput(f"{where}: expected numbers for {', '.join(names)}, found {found}")
    return numbers


def write(path: Path, names: Sequence[str], faces: Sequence[Face], counts: Sequence[int]) -> Path:
    """Write a table that `read` reads, with the number of faces in each file and the score of the one taken beside."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", *BOX, *POINTS, "score", "faces"])
    for name, face, count in zip(names, faces, counts):
        points = [""] * len(POINTS) if face.points is None else [f"{v:.3f}" for v in face.points.ravel()]
        writer.writerow([name, *(f"{v:.3f}" for v in face.box), *points, f"{face.score:.4f}", count])
    return atomic_write(path, text.getvalue())
