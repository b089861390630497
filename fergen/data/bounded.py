"""Streams that refuse to grow without bound, and to be damaged, with one clear line.

Sizes are counted while inflating, since the header of an archive may lie about them.
"""

import gzip
import io
import zipfile
import zlib
from typing import BinaryIO, cast

from fergen.core.errors import BadInput

MAX_RATIO = 100  # inflated bytes per stored byte; pixel tables reach 10, deflate itself at most 1032
FREE_BYTES = 16 << 20  # below this size any ratio is harmless
MAX_LINE = 4 << 20  # characters; a 1024x1024 colour image would not be kept as text
DAMAGE = (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile, NotImplementedError)


class Counted(io.RawIOBase):
    """A stream that counts what it inflates, and turns damage and bombs into BadInput.

    Args:
        inner: the inflating stream.
        stored: bytes it occupies on disk.
        limit: most bytes it may give.
        where: file (and member) for errors.
    """

    def __init__(self, inner: BinaryIO, stored: int, limit: int, where: str):
        self.inner, self.stored, self.limit, self.where = inner, stored, limit, where
        self.given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        try:
            data = self.inner.read(len(buffer))
        except DAMAGE as error:
            raise BadInput(f"{self.where}: damaged archive ({error}); copy or download it again") from None
        except OSError as error:
            raise BadInput(f"{self.where}: cannot be read ({error.strerror or error})") from None
        self.given += len(data)
        if self.given > self.limit:
            raise BadInput(f"{self.where}: expected at most {self.limit:,} bytes when unpacked, found more")
        if self.given > max(FREE_BYTES, MAX_RATIO * self.stored):
            raise BadInput(
                f"{self.where}: unpacks to over {MAX_RATIO} times its {self.stored:,} bytes, like a zip bomb; "
                "unpack it yourself if you trust it"
            )
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self.inner.close()
        super().close()


class Lines(io.TextIOWrapper):
    """UTF-8 text that refuses a line without end and bytes that are not text."""

    def __init__(self, stream: io.RawIOBase, where: str):
        super().__init__(cast(BinaryIO, io.BufferedReader(stream, 1 << 18)), encoding="utf-8-sig", newline="")
        self.where, self.row = where, 0

    def readline(self, size: int = -1, /) -> str:
        try:
            line = super().readline(MAX_LINE if size < 0 else size)
        except UnicodeDecodeError as error:
            raise BadInput(
                f"{self.where}: expected UTF-8 text, found byte 0x{error.object[error.start]:02x} "
                f"after line {self.row}; is it the CSV file?"
            ) from None
        if size < 0 and len(line) >= MAX_LINE:
            raise BadInput(f"{self.where}: line {self.row + 1} is longer than {MAX_LINE:,} characters")
        self.row += 1
        return line

    def __next__(self) -> str:
        line = self.readline()
        if not line:
            raise StopIteration
        return line
