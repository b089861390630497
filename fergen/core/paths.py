"""Where data lives, and writes that are whole or absent."""

import contextlib
import hashlib
import json
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np

from fergen.core.errors import BadInput


def cache_root() -> Path:
    """The user's cache folder for fergen (XDG_CACHE_HOME or ~/.cache)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fergen"


def data_root() -> Path:
    """The folder of prepared data: $FERGEN_DATA, else the user's cache folder."""
    chosen = os.environ.get("FERGEN_DATA")
    return Path(chosen).expanduser() if chosen else cache_root() / "data"


@contextlib.contextmanager
def atomic_dir(target: str | Path) -> Generator[Path]:
    """Yield an empty sibling folder that becomes `target` on success and vanishes on failure.

    An existing `target` is replaced only once the new one is complete.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    sweep(target)
    fresh = Path(tempfile.mkdtemp(prefix=f"{temporary(target)}{os.getpid()}.", dir=target.parent))
    try:
        yield fresh
        fresh.chmod(0o755)
        if target.exists():
            retired = fresh.with_name(fresh.name + ".old")
            target.rename(retired)
            fresh.rename(target)
            shutil.rmtree(retired, ignore_errors=True)
        else:
            fresh.rename(target)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def temporary(target: Path) -> str:
    """Return how the names of this host's temporary folders for a target begin; the process number follows."""
    return f".{target.name}.{re.sub('[^A-Za-z0-9-]', '-', socket.gethostname())}."


def sweep(target: Path) -> None:
    """Remove what a killed `atomic_dir(target)` of a process that no longer lives has left.

    Of this host alone: on a shared disk nobody can tell whether another host's process lives.
    """
    begin = temporary(target)
    for stale in target.parent.iterdir():
        if not stale.name.startswith(begin):
            continue
        pid = stale.name.removeprefix(begin).split(".")[0]
        if not pid.isdigit() or alive(int(pid)):
            continue
        # A kill between the two renames leaves the former folder as the only whole one: it goes back.
        if stale.name.endswith(".old") and not target.exists():
            stale.rename(target)
        else:
            shutil.rmtree(stale, ignore_errors=True)


def alive(pid: int) -> bool:
    """Whether a process of that number runs on this machine."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextlib.contextmanager
def whole_file(path: str | Path) -> Generator[Path]:
    """Give the name of a temporary sibling, which becomes the file, flushed to disk, or goes if anything fails."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The ending stays last: encoders choose a format by it.
    fresh = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield fresh
        with fresh.open("rb+") as f:
            os.fsync(f.fileno())
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def atomic_write(path: str | Path, content: bytes | str) -> Path:
    """Write a whole file or none; see `whole_file`."""
    with whole_file(path) as fresh:
        fresh.write_bytes(content.encode() if isinstance(content, str) else content)
    return Path(path)


def write_json(path: str | Path, value: Any) -> Path:
    """Write JSON atomically; numpy scalars and arrays become numbers and lists."""
    return atomic_write(path, json.dumps(value, indent=2, default=plain) + "\n")


def plain(value: Any) -> Any:
    """Turn what JSON lacks (numpy values, paths, sets, tuples) into what it has."""
    if isinstance(value, np.generic):
        return value.item()
    if hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(f"not JSON: {type(value).__name__}")


def read_json(path: str | Path) -> Any:
    """Read a JSON file.

    Raises:
        BadInput: the file is missing or damaged.
    """
    try:
        return json.loads(Path(path).read_text())
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: expected JSON, found something else ({error})") from None


def file_hash(path: str | Path) -> str:
    """SHA-256 of a file, as hex digits."""
    with Path(path).open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def array_hash(*arrays: np.ndarray) -> str:
    """SHA-256 over type, shape and bytes of arrays, as hex digits."""
    digest = hashlib.sha256()
    for array in arrays:
        array = np.asarray(array)
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        # Row blocks keep a memory-mapped array from being read as a whole.
        block = max(1, (1 << 24) // max(1, array[:1].nbytes)) if array.ndim else 1
        for start in range(0, len(array) if array.ndim else 1, block):
            part = array[start : start + block] if array.ndim else array
            digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()
