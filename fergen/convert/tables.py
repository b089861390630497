"""Weights as a table: name -> array, from .safetensors, .npz, .pth and .pt files."""

import zipfile
from pathlib import Path

import numpy as np

from fergen.convert import pth
from fergen.core.errors import BadInput

SUFFIXES = (".safetensors", ".npz", ".pth", ".pt")
MAX_NPZ_BYTES = 4 << 30


def read(path: str | Path) -> dict[str, np.ndarray]:
    """Read a weights file by its suffix; no format executes anything.

    Returns:
        name -> array. The `module.` that a parallel wrapper puts before every name is taken off.

    Raises:
        BadInput: missing, damaged, or of an unknown kind.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise BadInput(f"{path}: expected a file ending in {', '.join(SUFFIXES)}, found '{path.suffix}'")
    if not path.is_file():
        raise BadInput(f"{path}: no such file")
    if path.suffix == ".safetensors":
        table = _read_safetensors(path)
    elif path.suffix == ".npz":
        table = _read_npz(path)
    else:
        table = pth.read(path)
    if not table:
        raise BadInput(f"{path}: expected tensors, found none")
    if all(name.startswith("module.") for name in table):
        table = {name.removeprefix("module."): array for name, array in table.items()}
    return table


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as f:
            return {name: f.get_tensor(name) for name in f.keys()}  # noqa: SIM118 (no dict)
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise BadInput(f"{path}: expected a safetensors file, found a damaged one ({error})") from None


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > MAX_NPZ_BYTES:
            raise BadInput(f"{path}: expected at most {MAX_NPZ_BYTES >> 30} GiB unpacked, found {size >> 30}")
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, KeyError) as error:
        raise BadInput(f"{path}: expected an .npz of plain arrays, found something else ({error})") from None
