"""Faces to classify, as users name them: images, folders of images, and tables of pixels."""

import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fergen.core.errors import BadInput
from fergen.data.archive import kind, open_files, open_text
from fergen.data.formats import SUFFIXES
from fergen.data.pixels import SIDE, parse_pixels

Size = tuple[int, int]
Decoder = Any  # a module with `decode` and `converted` as those of fergen.data.images


class Input(NamedTuple):
    """One face, not yet decoded.

    Attributes:
      source: file name (relative to its folder), or row number of a table from 0.
      decode: (size (height, width) or None, channels 1 or 3 or None) -> uint8 [h, w, c]; None keeps what the file has.
    """

    source: str | int
    decode: Callable[[Size | None, int | None], np.ndarray]


def read(paths: Sequence[str | Path], decoder: Decoder = None) -> Iterator[Input]:
    """Read inputs in the given order; each path is seen to exist before the first is read.

    Args:
      paths: each an image; a folder (or zip) of images, also in folders below it, taken in order of name; or a CSV
        (plain, .gz or .zip) with a column `pixels` of 48x48 gray values, other columns allowed, names in any case.
      decoder: what decodes images: `fergen.data.images`, or `fergen.data.opencv` where Pillow need not be installed.

    Yields:
      An Input per image or row.

    Raises:
      BadInput: no path, a missing file, a folder without images, a table without rows or without the column, a bad
        row (named), a file that is none of these.
    """
    if decoder is None:
        from fergen.data import images as decoder
    if not paths:
        raise BadInput("expected at least one image, folder or CSV, found none")
    kinds = [kind(Path(path)) for path in paths]
    for path, form in zip(paths, kinds):
        path = Path(path)
        if form == "folder" or (form == "zip" and not _holds_table(path)):
            yield from _folder(path, decoder)
        elif path.suffix.lower() in SUFFIXES:
            yield Input(path.name, _image(path, decoder))
        elif form in ("gzip", "zip") or path.suffix.lower() in (".csv", ".txt"):
            yield from _table(path, decoder)
        else:
            raise BadInput(
                f"{path}: expected an image ({', '.join(SUFFIXES)}), a folder of images, or a .csv with a "
                "column 'pixels'"
            )


def _holds_table(path: Path) -> bool:
    with open_files(path) as files:
        return any(name.lower().endswith(".csv") for name in files.names)


def _image(path: Path, decoder: Decoder) -> Callable[[Size | None, int | None], np.ndarray]:
    return lambda size, channels: decoder.decode(path, size=size, channels=channels)


def _folder(path: Path, decoder: Decoder) -> Iterator[Input]:
    # Left open: its images are decoded after the last of them was named.
    files = open_files(path)
    names = [name for name in files.names if name.lower().endswith(SUFFIXES)]
    if not names:
        raise BadInput(f"{path}: expected images ({', '.join(SUFFIXES)}), found none")
    for name in names:

        def decode(size: Size | None, channels: int | None, name: str = name) -> np.ndarray:
            return decoder.decode(files.read(name), where=files.where(name), size=size, channels=channels)

        yield Input(name, decode)


def _table(path: Path, decoder: Decoder) -> Iterator[Input]:
    with open_text(path) as text:
        reader = csv.reader(text)
        row = -1
        try:
            header = next(reader, None)
            if header is None:
                raise BadInput(f"{path}: expected a CSV with a column 'pixels', found an empty file")
            names = [name.strip().lower() for name in header]
            if "pixels" not in names:
                raise BadInput(f"{path}: expected a column 'pixels'; the header reads {','.join(header)[:80]!r}")
            column = names.index("pixels")
            for fields in reader:
                if not fields:
                    continue
                row += 1
                where = f"{path} row {row} (line {reader.line_num})"
                if len(fields) <= column:
                    raise BadInput(f"{where}: expected at least {column + 1} fields, found {len(fields)}")
                yield Input(row, _pixels(parse_pixels(fields[column], where), decoder))
        except csv.Error as error:
            raise BadInput(f"{path}: expected a CSV, found something unreadable after row {row} ({error})") from None
        if row < 0:
            raise BadInput(f"{path}: expected rows below the header, found none")


def _pixels(pixels: np.ndarray, decoder: Decoder) -> Callable[[Size | None, int | None], np.ndarray]:
    gray = pixels.reshape(SIDE, SIDE, 1)
    return lambda size, channels: decoder.converted(gray, size=size, channels=channels)
