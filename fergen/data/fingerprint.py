"""What a prepared set came from, and what it holds, as hashes."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from fergen.core.clock import Progress
from fergen.core.errors import BadInput
from fergen.core.paths import array_hash, file_hash
from fergen.data.archive import kind, open_files


def fingerprints(paths: Sequence[Path | None], *, quiet: bool) -> dict[str, str]:
    """Hash files by content, and folders by the names and contents of all files below them.

    Returns:
        base name -> SHA-256 as hex digits.
    """
    found = {}
    for path in paths:
        if path is None:
            continue
        form = kind(path)
        name = path.resolve().name
        if name in found:
            name = f"{path.resolve().parent.name}/{name}"
        try:
            found[name] = folder_hash(path, quiet=quiet) if form == "folder" else file_hash(path)
        except OSError as error:
            raise BadInput(f"{path}: cannot be read ({error.strerror or error})") from None
    return found


def folder_hash(folder: Path, *, quiet: bool) -> str:
    """SHA-256 over the relative names and contents of all files of a folder."""
    whole = hashlib.sha256()
    with (
        open_files(folder) as files,
        Progress(len(files.names), unit="files", label="hashing:", quiet=quiet) as progress,
    ):
        for name in files.names:
            whole.update(f"{name}\0{file_hash(folder / name)}\n".encode())
            progress.update(1)
    return whole.hexdigest()


def content_hash(images: Mapping[str, np.ndarray], rows: Mapping[str, Mapping[str, np.ndarray]]) -> str:
    """SHA-256 over the arrays of all splits, by split and name."""
    whole = hashlib.sha256()
    for split in sorted(images):
        for key, array in [("image", images[split]), *sorted(rows[split].items())]:
            whole.update(f"{split}/{key} {array_hash(array)}\n".encode())
    return whole.hexdigest()
