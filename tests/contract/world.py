"""Where bad input is made and commands are run on it."""

import contextlib
import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from fergen import main
from tests.data.conftest import Fer
from tests.train.conftest import TINY

HEADER = "emotion,pixels,Usage"
ROW = " ".join(["7"] * 2304)


class World:
    """A folder to work in, the tiny config, and makers of files."""

    def __init__(self, folder: Path, tiny_set: Path):
        self.folder, self.config = folder, f"--config={TINY}:{tiny_set}"

    def write(self, name: str, content: str | bytes) -> str:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return name

    def png(self, size: int = 48) -> bytes:
        noise = np.random.default_rng(0).integers(0, 256, (size, size), np.uint8)
        stream = io.BytesIO()
        Image.fromarray(noise).save(stream, "PNG")
        return stream.getvalue()

    def faces(self, size: int = 48, more: bytes = b"", of: str = "sad") -> str:
        """A folder of two class folders with an image each, and one more."""
        for i, name in enumerate(("happy", "sad")):
            self.write(f"faces/train/{name}/{i}.png", self.png(size))
        if more:
            self.write(f"faces/train/{of}/9.png", more)
        return "faces"

    def zip(self, name: str, members: dict[str, bytes], cut: int | None = None) -> str:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, data in members.items():
                archive.writestr(member, data)
        return self.write(name, stream.getvalue()[:cut])

    def fer(self, row: str = "", header: str = HEADER) -> str:
        """A FER2013 of good rows and a bad one in their midst: row 8, line 10."""
        lines = Fer().csv().splitlines()[1:]
        return self.write("fer2013.csv", "\n".join([header, *lines[:8], *([row] if row else []), *lines[8:]]) + "\n")

    def contents(self) -> dict[str, bytes]:
        return {str(p.relative_to(self.folder)): p.read_bytes() for p in self.folder.rglob("*") if p.is_file()}


def refused(argv: list[str], said: str | tuple[str, ...], capsys, status: int = 2) -> None:
    """Run a command that must end in one line which says all of `said`."""
    capsys.readouterr()
    assert main.main(argv) == status
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("fergen: ")
    assert shown.err.count("\n") == 1
    assert shown.err.endswith("\n")
    assert len(shown.err) < 600
    for words in (said,) if isinstance(said, str) else said:
        assert words in shown.err, shown.err


@contextlib.contextmanager
def untouched(*folders: Path, but: tuple[str, ...] = ()) -> Iterator[None]:
    """Check that no file came, went or changed, except those named."""

    def seen():
        files = [p for folder in folders for p in folder.rglob("*") if p.name not in but and not p.is_dir()]
        return {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in files}

    before = seen()
    yield
    assert seen() == before


Case = tuple[Callable[[World], list[str]], str | tuple[str, ...]]
