"""The files below a folder or inside a zip, by name; nothing is ever extracted to disk."""

import os
import stat
import zipfile
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol, cast

from fergen.core.errors import BadInput
from fergen.data.bounded import DAMAGE, Counted

MAX_MEMBER_BYTES = 256 << 20  # one inflated image file
MAX_MEMBERS = 5_000_000
# bz2 and lzma inflate without bound per call; nobody ships data sets in them.
METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
LITTER = {"__MACOSX", "Thumbs.db", "desktop.ini"}


class Files(Protocol):
    """The files below a folder or in a zip.

    Attributes:
        path: the folder or zip.
        names: relative names with "/" between parts, sorted; hidden files and litter are left out.
        folders: relative names of all folders, sorted.
    """

    path: Path
    names: tuple[str, ...]
    folders: tuple[str, ...]

    def read(self, name: str) -> bytes:
        """Read one file whole."""
        ...

    def where(self, name: str) -> str:
        """Say where a file lies, for errors."""
        ...

    def __enter__(self) -> "Files": ...

    def __exit__(self, *failure) -> None: ...


def hidden(parts: tuple[str, ...]) -> bool:
    """Whether a path is litter that systems leave behind."""
    return any(part.startswith(".") or part in LITTER for part in parts)


class FolderFiles:
    """`Files` of a folder on disk. Links are the user's own and are followed, but never in a circle."""

    def __init__(self, path: Path):
        self.path = path
        names, folders = [], []
        for base, inner, files in os.walk(path, followlinks=True, onerror=self._unreadable):
            folder = Path(base)
            relative = PurePosixPath(folder.relative_to(path).as_posix())
            if folder.is_symlink() and folder.parent.resolve().is_relative_to(folder.resolve()):
                raise BadInput(f"{base}: a link to a folder above it; remove it")
            inner[:] = [name for name in inner if not hidden((name,))]
            folders += [(relative / name).as_posix() for name in inner]
            names += [(relative / name).as_posix() for name in files if not hidden((name,))]
        self.names, self.folders = tuple(sorted(names)), tuple(sorted(folders))

    def _unreadable(self, error: OSError) -> None:
        raise BadInput(f"{error.filename}: the folder cannot be read ({error.strerror})")

    def where(self, name: str) -> str:
        return str(self.path / name)

    def read(self, name: str) -> bytes:
        parts = PurePosixPath(name)
        if parts.is_absolute() or ".." in parts.parts or "\0" in name:
            raise BadInput(f"{self.path}: expected a file name below the folder, found {name!r}")
        try:
            with (self.path / name).open("rb") as f:
                data = f.read(MAX_MEMBER_BYTES + 1)
        except FileNotFoundError:
            raise BadInput(f"{self.where(name)}: no such file") from None
        except OSError as error:
            raise BadInput(f"{self.where(name)}: cannot be read ({error.strerror})") from None
        if len(data) > MAX_MEMBER_BYTES:
            raise BadInput(f"{self.where(name)}: larger than {MAX_MEMBER_BYTES:,} bytes")
        return data

    def __enter__(self) -> "FolderFiles":
        return self

    def __exit__(self, *failure) -> None:
        pass


class ZipFiles:
    """`Files` of a zip whose members all proved safe by name, kind, method and place."""

    def __init__(self, path: Path):
        self.path = path
        try:
            self.zip = zipfile.ZipFile(path)
        except DAMAGE as error:
            raise BadInput(f"{path}: damaged archive ({error}); copy or download it again") from None
        except (OSError, ValueError) as error:
            raise BadInput(f"{path}: cannot be read as a zip ({error})") from None
        try:
            self.infos, folders = self._members()
        except BaseException:
            self.zip.close()
            raise
        self.names, self.folders = tuple(sorted(self.infos)), tuple(sorted(folders))

    def _members(self) -> tuple[dict[str, zipfile.ZipInfo], set[str]]:
        infos: dict[str, zipfile.ZipInfo] = {}
        folders: set[str] = set()
        members = self.zip.infolist()
        if len(members) > MAX_MEMBERS:
            raise BadInput(f"{self.path}: expected at most {MAX_MEMBERS:,} files, found {len(members):,}")
        for info in members:
            parts = self._safe(info)
            if not parts or hidden(parts):
                continue
            name = "/".join(parts)
            folders.update("/".join(parts[:depth]) for depth in range(1, len(parts)))
            if info.is_dir():
                folders.add(name)
            elif name in infos:
                raise BadInput(f"{self.path}: expected each name once, found {name!r} twice")
            else:
                infos[name] = info
        # Members that share bytes are how a small zip claims petabytes without a high ratio each.
        end = 0
        for info in sorted(members, key=lambda info: info.header_offset):
            if info.header_offset < end:
                raise BadInput(f"{self.path}: member {info.filename!r} overlaps another, like a zip bomb")
            end = info.header_offset + 30 + info.compress_size
        return infos, folders

    def _safe(self, info: zipfile.ZipInfo) -> tuple[str, ...]:
        """Split a member's name into parts, once it is a plain file or folder that stays inside."""
        name = info.orig_filename.replace("\\", "/")
        parts = tuple(part for part in name.split("/") if part not in ("", "."))
        if name.startswith("/") or name[1:2] == ":" or ".." in parts or "\0" in name:
            raise BadInput(f"{self.path}: expected names inside the archive, found {info.orig_filename!r}")
        form = stat.S_IFMT(info.external_attr >> 16)
        if form not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise BadInput(f"{self.path}: member {info.filename!r} is a link or special file, not a file")
        if info.flag_bits & 0x1:
            raise BadInput(f"{self.path}: member {info.filename!r} is encrypted; unpack the archive first")
        if info.compress_type not in METHODS:
            raise BadInput(
                f"{self.path}: member {info.filename!r} is packed by method {info.compress_type}, expected deflate"
            )
        return parts

    def where(self, name: str) -> str:
        return f"{self.path}:{name}"

    def open(self, name: str, limit: int) -> Counted:
        """Open a member for streamed reading of at most `limit` bytes."""
        if name not in self.infos:
            raise BadInput(f"{self.where(name)}: no such file in the archive")
        info = self.infos[name]
        try:
            inner = cast(BinaryIO, self.zip.open(info))
        except (*DAMAGE, RuntimeError, OSError, ValueError) as error:
            raise BadInput(f"{self.where(name)}: damaged archive ({error})") from None
        stored = min(info.compress_size, self.path.stat().st_size)
        return Counted(inner, stored, limit, self.where(name))

    def read(self, name: str) -> bytes:
        with self.open(name, MAX_MEMBER_BYTES) as stream:
            return stream.read()

    def __enter__(self) -> "ZipFiles":
        return self

    def __exit__(self, *failure) -> None:
        self.zip.close()
