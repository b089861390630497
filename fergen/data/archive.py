"""What users point at, opened safely: a table that is plain, .gz or in a .zip; the files of a folder or a .zip."""

import contextlib
import gzip
import io
from collections.abc import Generator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, TextIO, cast

from fergen.core.errors import BadInput
from fergen.data.bounded import Counted, Lines
from fergen.data.files import Files, FolderFiles, ZipFiles

MAX_STREAM_BYTES = 16 << 30  # one inflated table


def kind(path: Path) -> str:
    """Tell "folder", "zip", "gzip" or "plain" by what the file holds, not by its name.

    Raises:
        BadInput: there is no such file, or it cannot be read.
    """
    try:
        if path.is_dir():
            return "folder"
        if path.exists() and not path.is_file():
            raise BadInput(f"{path}: expected a file or folder, found a device or pipe")
        with path.open("rb") as f:
            magic = f.read(4)
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file or folder") from None
    except (OSError, ValueError) as error:
        raise BadInput(f"{str(path)!r}: cannot be read ({error})") from None
    if magic[:2] == b"\x1f\x8b":
        return "gzip"
    if magic in (b"PK\x03\x04", b"PK\x05\x06"):
        return "zip"
    if path.suffix.lower() in (".gz", ".zip"):
        found = f"one that starts with {magic!r}" if magic else "an empty file"
        raise BadInput(f"{path}: expected a {path.suffix} file, found {found}")
    return "plain"


@contextlib.contextmanager
def open_text(path: str | Path, *, member: str | None = None) -> Generator[TextIO]:
    """Open a CSV file as streamed text, be it plain, .gz or .zip.

    Args:
        path: the file.
        member: which file of a zip (its path there, or its last part); None takes its only .csv.

    Yields:
        Text with `newline=""`, as the csv module wants it; its reads raise BadInput on damage, on bytes
        that are not UTF-8, on zip bombs and on endless lines.

    Raises:
        BadInput: missing or damaged file, no or several candidates in a zip.
    """
    path = Path(path)
    form = kind(path)
    if form == "folder":
        raise BadInput(f"{path}: expected a file, found a folder")
    if any(path.name.lower().endswith(end) for end in (".tar", ".tgz", ".tar.gz")):
        raise BadInput(f"{path}: expected a plain, .gz or .zip file, found a tar archive; unpack it first")
    size = path.stat().st_size
    with contextlib.ExitStack() as stack:
        if form == "plain":
            stream: io.RawIOBase = Counted(path.open("rb"), size, MAX_STREAM_BYTES, str(path))
        elif form == "gzip":
            inner = cast(BinaryIO, stack.enter_context(gzip.open(path, "rb")))
            stream = Counted(inner, size, MAX_STREAM_BYTES, str(path))
        else:
            files = stack.enter_context(ZipFiles(path))
            stream = files.open(choose(files, member), MAX_STREAM_BYTES)
        yield stack.enter_context(Lines(stream, str(path)))


def choose(files: ZipFiles, member: str | None) -> str:
    """Pick the table of a zip: the member asked for, or its only .csv."""
    if member is not None:
        named = [name for name in files.names if PurePosixPath(name).name == member]
        found = [member] if member in files.infos else named
    else:
        found = [name for name in files.names if name.lower().endswith(".csv")]
    if len(found) != 1:
        listed = ", ".join(repr(name) for name in (found or files.names)[:5]) or "nothing"
        raise BadInput(f"{files.path}: expected one {member or '.csv file'} inside, found {listed}")
    return found[0]


def open_table(files: Files, name: str) -> contextlib.AbstractContextManager[TextIO]:
    """Open one of `files` as streamed text, as `open_text` does."""
    return open_text(files.path, member=name) if isinstance(files, ZipFiles) else open_text(files.path / name)


def open_files(path: str | Path) -> Files:
    """Open a folder or a zip for reading its files by name.

    Raises:
        BadInput: neither of them, or a zip with unsafe members.
    """
    path = Path(path)
    form = kind(path)
    if form == "folder":
        return FolderFiles(path)
    if form == "zip":
        return ZipFiles(path)
    raise BadInput(f"{path}: expected a folder or a .zip, found a {form} file")
