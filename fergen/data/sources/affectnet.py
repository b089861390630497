"""AffectNet: web photographs with eight expressions, in the two forms that are passed around.

As released: training.csv and validation.csv beside the photographs, with a face box in each row. Re-packed: cropped
faces in train|val/<0-7>/. AffectNet publishes no test labels, so its validation rows are the customary test set:
they become `test`, and choices are made on a part of its training rows.

Reference: Mollahosseini, Hasani and Mahoor, "AffectNet: a database for facial expression, valence, and arousal
computing in the wild", IEEE Transactions on Affective Computing 10, 2019; label ids of section 3.
"""

import csv
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from fergen.core.errors import BadInput
from fergen.data import folders
from fergen.data.archive import open_files, open_table
from fergen.data.files import Files
from fergen.data.sources import Rows
from fergen.data.vocabulary import VOCABULARIES

CLASSES = VOCABULARIES["eight"]  # AffectNet's ids 0-7, in order
NO_EXPRESSION = {8: "none", 9: "uncertain", 10: "no face"}
TABLES = {"training.csv": "train", "validation.csv": "test"}
# The order in which the released validation.csv, which has no header line, holds them.
COLUMNS = (
    "subDirectory_filePath",
    "face_x",
    "face_y",
    "face_width",
    "face_height",
    "facial_landmarks",
    "expression",
    "valence",
    "arousal",
)
BOX = ("face_x", "face_y", "face_width", "face_height")


class Face(NamedTuple):
    """One row of an annotation table; the box is 0 where the row is to be dropped."""

    where: str
    name: str
    box: tuple[float, float, float, float]
    expression: int


def read(path: Path | None, *, images: Path | None = None, size: int = 128, channels: int = 3) -> Rows:
    """List AffectNet's faces; rows labelled none, uncertain or no face are dropped and counted.

    Args:
        path: folder or zip with training.csv and validation.csv somewhere in it, or with train|val/<0-7>/.
        images: folder or zip of the photographs, where they do not lie under `path`.
        size: side in pixels.
        channels: 3, or 1 for gray.

    Raises:
        BadInput: neither form, a missing column or image, a label out of range, a face box off its image.
    """
    if path is None:
        raise BadInput("expected AffectNet's folder or zip; give it with --from")
    files = open_files(path)
    tables = {name: split for name in files.names if (split := TABLES.get(PurePosixPath(name).name.lower()))}
    if not tables:
        return from_folders(files, size, channels)
    if len(tables) > len(set(tables.values())):
        raise BadInput(f"{path}: expected one training.csv and one validation.csv, found {', '.join(tables)}")
    ordered = sorted(tables.items(), key=lambda item: item[1] != "train")
    faces = [(face, split) for name, split in ordered for face in annotations(files, name)]
    if not faces:
        raise BadInput(f"{path}: expected annotated faces, found no row in {', '.join(tables)}")
    label = np.array([face.expression if face.expression < len(CLASSES) else -1 for face, _ in faces], np.int32)
    kept = np.flatnonzero(label >= 0)
    photographs = files if images is None else open_files(images)
    names = locate(photographs, [face for face, _ in faces], kept)
    dropped = Counter(
        f"label {face.expression} ({NO_EXPRESSION[face.expression]})"
        for face, _ in faces
        if face.expression in NO_EXPRESSION
    )
    return folders.gather(
        photographs,
        names,
        label,
        np.array([split for _, split in faces]),
        kept,
        CLASSES,
        dropped,
        size=size,
        channels=channels,
        boxes=np.array([face.box for face, _ in faces]),
    )


def from_folders(files: Files, size: int, channels: int) -> Rows:
    """List the re-packed form; its `val` is the test set unless it brings one of its own."""
    found = folders.find(files)
    labels = folders.numbered(found, dict(enumerate(CLASSES)) | dict.fromkeys(NO_EXPRESSION, ""), CLASSES)
    own_test = any(file.split == "test" for file in found)
    splits = None if own_test else {"validation": "test"}
    return folders.rows(files, found, labels, CLASSES, size=size, channels=channels, splits=splits)


def annotations(files: Files, name: str) -> list[Face]:
    """Read one annotation table.

    Raises:
        BadInput: a missing column, or a value that is none of that column's.
    """
    with open_table(files, name) as text:
        reader = csv.reader(text)
        faces: list[Face] = []
        columns: dict[str, int] = {}
        try:
            for cells in reader:
                where = f"{files.where(name)}, line {reader.line_num}"
                if not columns:
                    columns, is_header = header(cells, where)
                    if is_header:
                        continue
                if cells:
                    faces.append(face_of(cells, columns, where))
        except csv.Error as error:
            raise BadInput(f"{files.where(name)}, line {reader.line_num}: not a CSV row ({error})") from None
    if not columns:
        raise BadInput(f"{files.where(name)}: expected a table with the columns {', '.join(COLUMNS)}, found nothing")
    return faces


def header(cells: list[str], where: str) -> tuple[dict[str, int], bool]:
    """Find the columns; a first line of nine values is no header and holds them in the released order."""
    names = [cell.strip().lower() for cell in cells]
    needed = ("subDirectory_filePath", *BOX, "expression")
    missing = [name for name in needed if name.lower() not in names]
    if len(missing) == len(needed) and len(cells) == len(COLUMNS):
        return {name: i for i, name in enumerate(COLUMNS)}, False
    if missing:
        raise BadInput(f"{where}: expected the columns {', '.join(needed)}, found no {', '.join(missing)}")
    return {name: names.index(name.lower()) for name in needed}, True


def face_of(cells: list[str], columns: dict[str, int], where: str) -> Face:
    """Read one row of an annotation table."""
    if len(cells) <= max(columns.values()):
        raise BadInput(f"{where}: expected at least {max(columns.values()) + 1} columns, found {len(cells)}")
    found = cells[columns["expression"]].strip()
    if not (found.isdecimal() and int(found) <= max(NO_EXPRESSION)):
        raise BadInput(f"{where}: expected an expression from 0 to {max(NO_EXPRESSION)}, found {found[:40]!r}")
    name = cells[columns["subDirectory_filePath"]].strip().replace("\\", "/")
    expression = int(found)
    if expression in NO_EXPRESSION:
        return Face(where, name, (0, 0, 0, 0), expression)
    try:
        x, y, width, height = (float(cells[columns[column]]) for column in BOX)
    except ValueError:
        found = ", ".join(cells[columns[column]][:20] for column in BOX)
        raise BadInput(f"{where}: expected a face box as four numbers {', '.join(BOX)}, found {found}") from None
    if not (np.isfinite([x, y, width, height]).all() and width >= 1 and height >= 1):
        raise BadInput(f"{where}: expected a face box of at least 1x1 pixels, found {width:g}x{height:g}")
    return Face(where, name, (x, y, width, height), expression)


def locate(files: Files, faces: list[Face], kept: np.ndarray) -> list[str]:
    """Return the name in `files` of each face's photograph; those of dropped rows are never looked for.

    Raises:
        BadInput: a row names a photograph that is not there.
    """
    known = set(files.names)
    if not len(kept):
        return [face.name for face in faces]
    # The tables name photographs relative to a folder whose own name differs between copies of the set.
    first = faces[kept[0]].name
    folder = next((name[: -len(first)] for name in files.names if f"/{name}".endswith(f"/{first}")), "")
    for i in kept:
        if folder + faces[i].name not in known:
            raise BadInput(
                f"{faces[i].where}: expected the image {faces[i].name!r} in {files.path / folder}, found none; "
                "name the folder of the images with --images"
            )
    return [folder + face.name for face in faces]
