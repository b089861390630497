"""A folder of runs, read and never written: what lies in it, and nothing beside it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fergen.core import record
from fergen.core.errors import BadInput

MARKS = ("metrics.jsonl", "report.md")  # a folder with one of them is a run, or a study
DEPTH = 3  # folders within folders, to look for runs
MOST = 500  # files of a kind that are listed
MAX_BYTES = 32 << 20  # of a file that is shown


@dataclass(frozen=True)
class Runs:
    """The runs of a folder.

    Attributes:
        root: the folder.
    """

    root: Path

    def names(self) -> list[str]:
        """Return the runs there, by their paths below the folder, the last changed first."""
        root = self.root.resolve()
        found = [root] if marked(root) else []
        level = [root]
        for _ in range(DEPTH):
            level = [child for folder in level for child in folders(folder)]
            found += [folder for folder in level if marked(folder)]
        found.sort(key=lambda folder: -max(changed(folder / mark) for mark in MARKS))
        return ["." if folder == root else str(folder.relative_to(root)) for folder in found[:MOST]]

    def inside(self, *parts: str) -> Path:
        """Return a path below the folder.

        Raises:
            BadInput: it leads out of the folder, also by a link, or nothing is there.
        """
        root = self.root.resolve()
        try:
            path = root.joinpath(*parts).resolve(strict=True)
        except (OSError, ValueError, RuntimeError):
            raise BadInput(f"{'/'.join(parts)}: there is no such thing in this folder of runs.") from None
        if not path.is_relative_to(root):
            raise BadInput(f"{'/'.join(parts)}: lies outside of the folder of runs.")
        return path

    def bytes_of(self, *parts: str) -> bytes:
        """Read a file.

        Raises:
            BadInput: it is not inside, none, or too large to be shown.
        """
        path = self.inside(*parts)
        if not path.is_file():
            raise BadInput(f"{'/'.join(parts)}: expected a file.")
        if path.stat().st_size > MAX_BYTES:
            raise BadInput(f"{'/'.join(parts)}: has more than {MAX_BYTES >> 20} MiB, too much to be shown here.")
        return path.read_bytes()

    def files(self, run: str, suffix: str) -> list[str]:
        """Return the files of a run with a suffix, by their paths below it; links that lead out are left out."""
        base = self.inside(run)
        root = self.root.resolve()
        there = []
        for path in sorted(base.rglob(f"*{suffix}")):
            hidden = any(part.startswith(".") for part in path.relative_to(base).parts)
            if not hidden and "checkpoints" not in path.parts and path.resolve().is_relative_to(root):
                there.append(str(path.relative_to(base)))
        return there[:MOST]

    def records(self, run: str) -> list[dict[str, Any]]:
        """Return the rows of a run's record; none where there is no record."""
        try:
            path = self.inside(run, "metrics.jsonl")
        except BadInput:
            return []
        self.bytes_of(run, "metrics.jsonl")
        return [row for row in record.rows(path) if isinstance(row, dict) and isinstance(row.get("step"), int)]

    def scores(self, run: str, name: str) -> list[tuple[str, str]]:
        """Return the figures of a file of scores, as texts: whole splits' alone, an interval beside where there is one.

        Raises:
            BadInput: the file is no JSON object.
        """
        try:
            found = json.loads(self.bytes_of(run, name))
        except ValueError:
            raise BadInput(f"{name}: expected JSON.") from None
        if not isinstance(found, dict):
            raise BadInput(f"{name}: expected an object of scores.")
        rows = []
        for key, value in found.items():
            if isinstance(value, bool) or not isinstance(value, int | float | str) or key.endswith((".low", ".high")):
                continue
            low, high = found.get(f"{key}.low"), found.get(f"{key}.high")
            shown = f"{value:.4g}" if isinstance(value, float) else str(value)
            if isinstance(low, float) and isinstance(high, float):
                shown += f"  [{low:.4g}, {high:.4g}]"
            rows.append((key, shown))
        return rows[:MOST]


def marked(folder: Path) -> bool:
    """Whether a folder is a run or a study."""
    return any((folder / mark).is_file() for mark in MARKS)


def folders(folder: Path) -> list[Path]:
    """Return the folders in a folder, no links and none hidden; of one that cannot be read none."""
    try:
        there = list(folder.iterdir())
    except OSError:
        return []
    return [path for path in there if path.is_dir() and not path.is_symlink() and not path.name.startswith(".")]


def changed(path: Path) -> float:
    """Return when a file was last changed; 0 of one that is not there."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
