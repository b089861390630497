"""PyTorch files (.pth, .pt), zipped or of before 2020, read without torch and without executing anything."""

import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from fergen.convert import unpickle
from fergen.core.errors import BadInput

# The pickled magic number 0x1950a86a20f9469cfc6c, with which files of before 2020 begin.
LEGACY_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
ZIP_MAGIC = b"PK\x03\x04"
# Under which training scripts keep the weights beside other things.
WRAPPERS = ("state_dict", "model_state_dict", "model")


def read(path: str | Path) -> dict[str, np.ndarray]:
    """Read the tensors of a state dict by name.

    Args:
        path: a file of torch.save(module.state_dict()), or of a dict that holds one under `state_dict`,
            `model_state_dict` or `model`.

    Returns:
        name -> array; bfloat16 is widened to float32.

    Raises:
        BadInput: damaged, of another kind, or asking for anything but tensors.
    """
    path = Path(path)
    try:
        with path.open("rb") as f:
            magic = f.read(len(LEGACY_MAGIC))
            f.seek(0)
            if magic.startswith(ZIP_MAGIC):
                content, storages = _read_zip(f, path)
            elif magic == LEGACY_MAGIC:
                content, storages = _read_legacy(f, path)
            else:
                raise BadInput(f"{path}: expected a PyTorch file (a zip, or the older magic number), found neither")
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror or error})") from None
    return {name: _view(tensor, storages, path) for name, tensor in _state_dict(content, path).items()}


def _read_zip(f: BinaryIO, path: Path) -> tuple[Any, dict[unpickle.Storage, np.ndarray]]:
    """Read the zipped form: NAME/data.pkl describes tensors, NAME/data/KEY holds the numbers."""
    try:
        with zipfile.ZipFile(f) as archive:
            entries = {entry.filename: entry for entry in archive.infolist()}
            pickles = [name for name in entries if name.endswith("/data.pkl")]
            if len(pickles) != 1:
                raise BadInput(f"{path}: expected one data.pkl in the archive, found {len(pickles)}")
            folder = pickles[0].removesuffix("data.pkl")
            # torch stores without compression; what claims to be compressed may be a bomb.
            packed = [name for name, entry in entries.items() if entry.compress_type != zipfile.ZIP_STORED]
            if packed:
                raise BadInput(f"{path}: expected uncompressed entries, as torch writes; {packed[0]} is compressed")
            order = folder + "byteorder"
            if order in entries and archive.read(order) != b"little":
                raise BadInput(f"{path}: expected little-endian numbers")
            with archive.open(pickles[0]) as stream:
                content = unpickle.load(stream, entries[pickles[0]].file_size, str(path))
            storages = {}
            for storage in _storages(content, path):
                name = f"{folder}data/{storage.key}"
                if name not in entries:
                    raise BadInput(f"{path}: the numbers of storage {storage.key} are missing")
                storages[storage] = _numbers(archive.read(name), storage, path)
            return content, storages
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise BadInput(f"{path}: expected a PyTorch file, found a damaged zip ({error})") from None


def _read_legacy(f: BinaryIO, path: Path) -> tuple[Any, dict[unpickle.Storage, np.ndarray]]:
    """Read the older form: five pickles in a row (magic, version, system, content, keys), then the numbers by key."""
    size = path.stat().st_size
    f.seek(len(LEGACY_MAGIC))
    _, system, content, keys = (unpickle.load(f, size, str(path)) for _ in range(4))
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise BadInput(f"{path}: expected little-endian numbers")
    wanted = {storage.key: storage for storage in _storages(content, path)}
    if not isinstance(keys, list) or not all(isinstance(key, str) and key in wanted for key in keys):
        raise BadInput(f"{path}: expected a list of the storages that the tensors name")
    storages = {}
    for key in keys:
        storage = wanted[key]
        announced = int.from_bytes(f.read(8), "little", signed=True)
        length = storage.count * _item_size(storage)
        if announced != storage.count or length > size - f.tell():
            raise BadInput(
                f"{path}: storage {key}: expected {storage.count} numbers, found {announced} announced and "
                f"{size - f.tell()} bytes left; is the file truncated?"
            )
        storages[storage] = _numbers(f.read(length), storage, path)
    if len(storages) != len(wanted):
        raise BadInput(f"{path}: the numbers of {len(wanted) - len(storages)} storages are missing")
    return content, storages


def _state_dict(content: Any, path: Path) -> dict[str, unpickle.Tensor]:
    """Find the tensors by name, at the top or under one of the usual wrappers."""
    for candidate in (content, *(content.get(key) for key in WRAPPERS if isinstance(content, dict))):
        if isinstance(candidate, dict):
            tensors = {k: v for k, v in candidate.items() if isinstance(k, str) and isinstance(v, unpickle.Tensor)}
            if tensors:
                return tensors
    raise BadInput(f"{path}: expected a dict of tensors, at the top or under one of {', '.join(WRAPPERS)}; found none")


def _storages(content: Any, path: Path) -> list[unpickle.Storage]:
    """Return the storages of all tensors, each key once."""
    found: dict[str, unpickle.Storage] = {}
    for tensor in _state_dict(content, path).values():
        if found.setdefault(tensor.storage.key, tensor.storage) != tensor.storage:
            raise BadInput(f"{path}: storage {tensor.storage.key} is described in two ways")
    # Entries of a zip may overlap; all storages together can still not exceed the file.
    total = sum(storage.count * _item_size(storage) for storage in found.values())
    if total > path.stat().st_size:
        raise BadInput(f"{path}: tensors of {total} bytes in a file of {path.stat().st_size}; is it truncated?")
    return list(found.values())


def _item_size(storage: unpickle.Storage) -> int:
    return 2 if storage.dtype == "bfloat16" else np.dtype(storage.dtype).itemsize


def _numbers(raw: bytes, storage: unpickle.Storage, path: Path) -> np.ndarray:
    """Return the numbers of a storage [count]."""
    length = storage.count * _item_size(storage)
    if len(raw) < length:
        raise BadInput(f"{path}: storage {storage.key}: expected {length} bytes, found {len(raw)}")
    if storage.dtype == "bfloat16":
        # The upper half of a float32.
        return (np.frombuffer(raw, "<u2", storage.count).astype(np.uint32) << 16).view(np.float32)
    return np.frombuffer(raw, np.dtype(storage.dtype).newbyteorder("<"), storage.count)


def _view(tensor: unpickle.Tensor, storages: dict[unpickle.Storage, np.ndarray], path: Path) -> np.ndarray:
    """Return a read-only view; sharing memory keeps a file of many views of one storage small."""
    numbers = storages[tensor.storage]
    strides = tuple(stride * numbers.itemsize for stride in tensor.strides)
    try:
        return np.lib.stride_tricks.as_strided(
            numbers[tensor.offset :], tensor.shape, strides, writeable=False
        )  # bounds were checked when the pickle was read
    except ValueError as error:
        raise BadInput(f"{path}: a tensor of shape {tensor.shape} cannot be formed ({error})") from None
