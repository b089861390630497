"""The metric record: one JSON object per line, in order of step, cut back when a run resumes."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fergen.core.paths import atomic_write, plain


class Record:
    """Appends rows to a JSONL file; each row holds `step` and flat metric names."""

    def __init__(self, path: str | Path):
        self.path = Path(path)

    def append(self, row: dict[str, Any]) -> None:
        """Append one row and hand it to the system, so that a killed run leaves whole lines."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as f:
            f.write(json.dumps(row, default=plain) + "\n")
            f.flush()

    def cut(self, step: int) -> None:
        """Drop every row after `step`, and a last line that a kill left broken."""
        if self.path.exists():
            kept = [row for row in rows(self.path) if row["step"] <= step]
            atomic_write(self.path, "".join(json.dumps(row) + "\n" for row in kept))


FIRST_STAGE = "first_stage"
"""Stands in a row of scores of a training's first stage: the second trades their loss for what it is there for."""


def quality(scores: Mapping[str, Any]) -> float | None:
    """Return by how much a checkpoint is to be preferred: its accuracy on validation, else its negative loss there.

    Args:
        scores: a row of the record; None is returned if it holds no score of validation, or is of a first stage.
    """
    if FIRST_STAGE in scores:
        return None
    if "validation/accuracy" in scores:
        return float(scores["validation/accuracy"])
    return -float(scores["validation/loss"]) if "validation/loss" in scores else None


def rows(path: str | Path) -> list[dict[str, Any]]:
    """Read a record's rows; a broken last line (the run was killed in mid-write) is left out."""
    path = Path(path)
    found = []
    if path.exists() and os.path.getsize(path):
        for line in path.read_text().splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                break
    return found
