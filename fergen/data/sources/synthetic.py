"""Synthetic faces: a folder that `fergen sample` wrote, with the lineage of what made it.

    synthesis.json                  what was asked for, by which weights, and, once it is whole, what came of it
    images-00000.npy                uint8 [m, h, w, c], a block's faces; or, as PNG files, <class>/<row>.png
    rows-00000.jsonl                a line per face of the block: row number, label, probabilities

A block counts once its rows file is there: that is written last, and whole or not at all.
"""

import json
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from fergen.core.errors import BadInput
from fergen.core.paths import read_json
from fergen.data.archive import open_files
from fergen.data.images import ImageFiles, converted
from fergen.data.sources import Rows

FORMAT = 1
ABOUT = "synthesis.json"
UNLABELLED = "unlabelled"
"""Stands for a class where the generator knows no emotions and has learned from several."""


def images_file(folder: Path, block: int) -> Path:
    """Return where a block's images lie."""
    return folder / f"images-{block:05d}.npy"


def rows_file(folder: Path, block: int) -> Path:
    """Return where a block's rows lie."""
    return folder / f"rows-{block:05d}.jsonl"


def png_name(label: str, row: int) -> str:
    """Return where a face lies in a folder of PNG files, relative to it."""
    return f"{label}/{row:07d}.png"


def read_about(folder: Path) -> dict[str, Any]:
    """Read the description of a folder of synthetic faces.

    Raises:
        BadInput: there is none, or another version of fergen wrote it.
    """
    if not (folder / ABOUT).is_file():
        raise BadInput(f"{folder}: expected a folder of synthetic faces, found no {ABOUT}; make one: fergen sample")
    about = read_json(folder / ABOUT)
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise BadInput(f"{folder / ABOUT}: expected format {FORMAT}; sample the faces again: fergen sample")
    return about


def read_block(folder: Path, block: int) -> list[dict[str, Any]] | None:
    """Read a block's rows; None if it is not there yet.

    A row has `row`, `label`, `seen`, the label that a filter put in its place, if it did, and probabilities under
    `filter` and `judge`.

    Raises:
        BadInput: the file is damaged.
    """
    path = rows_file(folder, block)
    try:
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        if all(isinstance(row["row"], int) and isinstance(row["label"], str) for row in rows):
            return rows
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise BadInput(f"{path}: damaged; delete the folder and sample the faces again")


def read(path: Path | None, *, size: int | None = None, channels: int | None = None) -> Rows:
    """List the faces of a folder that `fergen sample` wrote, in the order of their row numbers.

    The classes are the generator's, whichever of them were sampled. All rows are of the training part; validation is
    cut out of it as of any set's.

    Args:
        path: the folder.
        size: side in pixels to resize to; None keeps the generator's.
        channels: 1 or 3; None keeps the generator's.

    Returns:
        Rows whose lineage holds the generator's and the filter's; with a filter, `confidence` float32 [n] is among
        the extras: its probability of each face's label.

    Raises:
        BadInput: not such a folder, an unfinished or damaged one, or faces without emotions.
    """
    if path is None:
        raise BadInput("expected a folder of synthetic faces; give it with --from")
    about = read_about(path)
    if not about["done"]:
        raise BadInput(f"{path}: not finished; repeat the fergen sample command that began it, which goes on there")
    blocks = [read_block(path, block) for block in range(about["done"]["blocks"])]
    if None in blocks:
        raise BadInput(f"{rows_file(path, blocks.index(None))}: no such file; copy the whole folder, or sample again")
    rows = [row for block in blocks for row in block or ()]
    classes = tuple(about["classes"])
    names = [row.get("seen", row["label"]) for row in rows]
    if strange := sorted(set(names) - set(classes)):
        raise BadInput(
            f"{path}: expected labels among {', '.join(classes)}, found '{strange[0]}'; an unconditional generator"
            " of several emotions makes no labelled set"
        )
    made = about["image"]
    shape = (size or made["height"], size or made["width"], channels or made["channels"])
    if about["form"] == "png":
        files = [png_name(row["label"], row["row"]) for row in rows]
        images: Any = ImageFiles(open_files(path), files, size=shape[:2], channels=shape[2])
    else:
        images = Blocks(path, [len(block or ()) for block in blocks], made, shape)
    label = np.array([classes.index(name) for name in names], np.int32)
    return Rows(
        images=images,
        label=label,
        split=np.full(len(rows), "train"),
        id=np.array([row["row"] for row in rows], np.int64),
        classes=classes,
        extras=confidence(rows, about),
        notes=[f"made by {about['names']['generator']}, {about['generator'][:12]}", *filter_notes(about)],
        lineage=about["lineage"],
    )


def confidence(rows: list[dict[str, Any]], about: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return the filter's probability of each row's label as `confidence`; nothing without a filter."""
    if not about["filter"]:
        return {}
    column, found = about["filter"]["columns"], []
    for row in rows:
        try:
            found.append(float(row["filter"][column[row.get("seen", row["label"])]]))
        except (KeyError, IndexError, TypeError, ValueError):
            raise BadInput(f"row {row['row']} of the synthetic faces: found no probability of its filter") from None
    return {"confidence": np.array(found, np.float32)}


def filter_notes(about: dict[str, Any]) -> list[str]:
    """Say by what the faces were filtered, and how many passed; nothing without a filter."""
    if not about["filter"]:
        return []
    kept, drawn = (sum(about["done"][key].values()) for key in ("kept", "drawn"))
    by = f"{about['names']['filter']}, {about['filter']['hash'][:12]}, at confidence {about['filter']['confidence']}"
    what = "labelled anew" if about["filter"].get("correct") else "filtered"
    return [f"{what} by {by}: {kept:,} of {drawn:,} kept"]


class Blocks:
    """The images of all blocks as one sequence, of which only what is sliced is read.

    Args:
        folder: where they lie.
        lengths: images of each block.
        made: height, width and channels as they were made.
        shape: (height, width, channels) as they are wanted.
    """

    def __init__(self, folder: Path, lengths: list[int], made: dict[str, int], shape: tuple[int, int, int]):
        self.folder = folder
        self.ends = list(accumulate(lengths))
        self.made = (made["height"], made["width"], made["channels"])
        self.shape = (self.ends[-1] if lengths else 0, *shape)

    def __getitem__(self, rows: slice) -> np.ndarray:
        """Read the sliced rows; uint8 [m, h, w, c]."""
        start, stop, _ = rows.indices(self.shape[0])
        parts = [np.zeros((0, *self.made), np.uint8)]
        for block, end in enumerate(self.ends):
            first = self.ends[block - 1] if block else 0
            if max(start, first) < min(stop, end):  # a block of which nothing was kept has no images file
                parts.append(self._block(block, end - first)[max(start - first, 0) : stop - first])
        images = np.concatenate(parts)
        if self.made == self.shape[1:]:
            return images
        height, width, channels = self.shape[1:]
        return np.stack([converted(image, size=(height, width), channels=channels) for image in images])

    def _block(self, block: int, n: int) -> np.ndarray:
        path, shape = images_file(self.folder, block), (n, *self.made)
        try:
            images = np.load(path, mmap_mode="r")
        except (OSError, ValueError, EOFError) as error:
            raise BadInput(f"{path}: missing or damaged ({error}); sample the faces again") from None
        if images.shape != shape or images.dtype != np.uint8:
            raise BadInput(f"{path}: expected uint8{list(shape)}, found {images.dtype}{list(images.shape)}")
        return images
