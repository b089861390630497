"""Class folders: images sorted into one folder per class, the form most face sets are passed around in.

    [parent/] [train|validation|public|test/] class / image.png

The parent folder and the split level are optional, and a zip serves as well as a folder.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from fergen.core.errors import BadInput
from fergen.data.files import Files
from fergen.data.images import SUFFIXES, ImageFiles
from fergen.data.sources import SPLITS, Rows
from fergen.data.vocabulary import canonical, is_known

SPLIT_FOLDERS = {
    "train": ("train", "training", "trainset"),
    "validation": ("validation", "valid", "val", "valset", "dev"),
    "public": ("public", "publictest"),
    "test": ("test", "testing", "testset", "private", "privatetest"),
}
_SPLIT_OF = {name: split for split, names in SPLIT_FOLDERS.items() for name in names}


class ClassFile(NamedTuple):
    """One image of a class folder."""

    name: str  # relative name in the `Files`
    split: str | None  # train, validation, public, test; None where the layout has no split level
    folder: str  # the class folder's own name


def split_of(folder: str) -> str | None:
    """Return the split that a folder name stands for, or None."""
    return _SPLIT_OF.get(re.sub(r"[\s_-]", "", folder.lower()))


def natural(name: str) -> list:
    """Sort key by which image_10 follows image_9."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]


def find(files: Files) -> list[ClassFile]:
    """List the images of a class-folder layout.

    Args:
        files: an opened folder or zip.

    Returns:
        One entry per image, by split, then class folder, then file name in natural order; files that are no
        images are left out.

    Raises:
        BadInput: no images, images outside class folders, an empty class or split folder, two layouts in one.
    """
    images = [name for name in files.names if name.lower().endswith(SUFFIXES)]
    if not images:
        raise BadInput(
            f"{files.path}: expected images in class folders, found {len(files.names)} files and no image among them"
        )
    found, layouts = [], {}
    for name in images:
        *above, folder, _ = ["", *name.split("/")]
        if not folder or split_of(folder):
            raise BadInput(f"{files.where(name)}: expected the image in a class folder, found it outside of any")
        split = split_of(above[-1])
        parent = tuple(above[1:-1] if split else above[1:])
        layouts.setdefault((parent, split is not None), name)
        found.append(ClassFile(name, split, folder))
    if len(layouts) > 1:
        first, second = list(layouts.values())[:2]
        raise BadInput(
            f"{files.path}: expected one layout [train|test/]class/image, found {first!r} and {second!r}; "
            "point at the folder that holds the classes or splits"
        )
    parent, has_splits = next(iter(layouts))
    refuse_empty(files, images, parent, has_splits)
    order = {split: i for i, split in enumerate((None, *SPLITS))}
    return sorted(found, key=lambda file: (order[file.split], natural(file.folder), natural(file.name)))


def refuse_empty(files: Files, images: Sequence[str], parent: tuple[str, ...], has_splits: bool) -> None:
    """Raise on a class or split folder of the layout that holds no image."""
    full = set()
    for name in images:
        parts = name.split("/")[:-1]
        full.update("/".join(parts[:depth]) for depth in range(1, len(parts) + 1))
    for folder in files.folders:
        parts = tuple(folder.split("/"))
        if folder in full or parts[: len(parent)] != parent:
            continue
        level = parts[len(parent) :]
        is_split = has_splits and len(level) == 1 and split_of(level[0])
        is_class = len(level) == 1 if not has_splits else len(level) == 2 and split_of(level[0])
        if is_split or is_class:
            what = "split" if is_split else "class"
            raise BadInput(f"{files.where(folder)}: expected images in this {what} folder, found none; remove it")


def numbered(found: Sequence[ClassFile], ids: Mapping[int, str], classes: tuple[str, ...]) -> dict[str, int]:
    """Map class folders that are named by a set's label ids, or by expressions, to labels.

    Args:
        found: what `find` listed.
        ids: label id -> class name; a name that `classes` lacks makes the label -1.
        classes: canonical class names.

    Returns:
        Class folder name -> index into `classes`, for the ids and for those folders whose names are expressions.
    """
    index = {name: label for label, name in enumerate(classes)}
    labels = {str(number): index.get(name, -1) for number, name in ids.items()}
    for folder in {file.folder for file in found}:
        if is_known(folder) and canonical(folder) in index:
            labels[folder] = index[canonical(folder)]
        elif folder.isdecimal() and str(int(folder)) in labels:
            labels[folder] = labels[str(int(folder))]
    return labels


def rows(
    files: Files,
    found: Sequence[ClassFile],
    labels: Mapping[str, int],
    classes: tuple[str, ...],
    *,
    size: int | None = None,
    channels: int | None = None,
    splits: Mapping[str, str] | None = None,
) -> Rows:
    """Make the rows of a class-folder layout.

    Args:
        files: the opened folder or zip; stays open as long as the rows' images.
        found: what `find` listed.
        labels: class folder name -> index into `classes`; -1 drops the folder's images with a count.
        classes: canonical class names.
        size: side in pixels to resize to; None expects one size of all images.
        channels: 1 or 3; None follows the files.
        splits: renames splits, for example {"validation": "test"}.

    Raises:
        BadInput: a folder that `labels` lacks, or nothing left.
    """
    unknown = next((file for file in found if file.folder not in labels), None)
    if unknown is not None:
        raise BadInput(
            f"{files.where(unknown.name)}: expected a class folder among {', '.join(sorted(labels, key=natural))}, "
            f"found '{unknown.folder}'"
        )
    label = np.array([labels[file.folder] for file in found], np.int32)
    dropped = Counter(f"class folder {file.folder}" for file in found if labels[file.folder] < 0)
    names = [file.name for file in found]
    split = np.array([(splits or {}).get(file.split or "train", file.split or "train") for file in found])
    kept = np.flatnonzero(label >= 0)
    return gather(
        files,
        names,
        label,
        split,
        kept,
        classes,
        dropped,
        size=size,
        channels=channels,
    )


def gather(
    files: Files,
    names: Sequence[str],
    label: np.ndarray,
    split: np.ndarray,
    kept: np.ndarray,
    classes: tuple[str, ...],
    dropped: Mapping[str, int],
    *,
    size: int | None,
    channels: int | None,
    boxes: np.ndarray | None = None,
) -> Rows:
    """Make rows of image files; `kept` are the source rows that stay, and their ids.

    Args:
        files: where the images lie.
        names: n file names.
        label: int32 [n], meaningful where kept.
        split: str [n].
        kept: int [m], increasing row numbers.
        classes: canonical class names.
        dropped: reason -> count so far.
        size: side in pixels, or None.
        channels: 1, 3 or None.
        boxes: float [n, 4] face boxes, or None.
    """
    if not len(kept):
        raise BadInput(f"{files.path}: no labelled image is left after dropping {dict(dropped)}")

    chosen = None if boxes is None else boxes[kept]
    images = ImageFiles(files, [names[i] for i in kept], size=size, channels=channels, boxes=chosen)
    return Rows(
        images=images,
        label=label[kept].astype(np.int32),
        split=split[kept],
        id=kept.astype(np.int64),
        classes=classes,
        dropped=dict(dropped),
    )
