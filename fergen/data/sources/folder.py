"""Any folder or zip of class folders."""

from pathlib import Path

from fergen.core.errors import BadInput
from fergen.data import folders, vocabulary
from fergen.data.archive import open_files
from fergen.data.sources import Rows


def read(path: Path | None, *, size: int | None = None, channels: int | None = None) -> Rows:
    """List the images of a folder (or zip) of class folders, with or without split folders above them.

    When every class folder's name is an expression, or a synonym of one, labels follow the smallest standard
    vocabulary that holds them all; otherwise the folders' own names, sorted, are the classes.

    Args:
        path: the folder or zip.
        size: side in pixels to resize to; None expects one size of all images.
        channels: 1 or 3; None follows the files.

    Raises:
        BadInput: not such a layout, an empty class folder, fewer than two classes, a damaged image.
    """
    if path is None:
        raise BadInput("expected a folder or zip of class folders; give it with --from")
    if (path / "synthesis.json").is_file():
        raise BadInput(
            f"{path}: fergen sample made these faces; prepare them with their lineage:"
            f" fergen prepare synthetic --from {path}"
        )
    files = open_files(path)
    found = folders.find(files)
    names = sorted({file.folder for file in found}, key=folders.natural)
    if all(vocabulary.is_known(name) for name in names):
        classes = expressions({vocabulary.canonical(name) for name in names})
        labels = {name: classes.index(vocabulary.canonical(name)) for name in names}
    else:
        classes = tuple(names)
        labels = {name: label for label, name in enumerate(names)}
    if len(classes) < 2:
        raise BadInput(f"{path}: expected at least two class folders, found only {', '.join(names)}")
    return folders.rows(files, found, labels, classes, size=size, channels=channels)


def expressions(known: set[str]) -> tuple[str, ...]:
    """Order canonical names as the smallest standard vocabulary does, without the classes it has beside them."""
    fitting = [classes for classes in vocabulary.VOCABULARIES.values() if known <= set(classes)]
    return tuple(name for name in min(fitting, key=len, default=sorted(known)) if name in known)
