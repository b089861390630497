"""Sources: one module per form in which a set lies on a user's disk, chosen by its module name.

A source module exposes one function

    def read(path: Path | None, *, <options with defaults>) -> Rows

which lists every row of the source in a stable order and decodes as little as it can. `fergen prepare NAME --from
PATH` calls it; its keyword-only parameters are the options that the command passes through (`--size`, `--channels`,
...), so a source names only the options it honours; `quiet`, where it has it, silences its progress. What the source
cannot understand is a `BadInput` with one line: what was expected, what was found, and where (file and row). What it
leaves out on purpose is counted in `Rows.dropped`.

The validation split, twins, statistics, audit, skipping of unreadable images and files on disk are the business of
`fergen.data.prepare`, not of a source.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

SPLITS = ("train", "validation", "public", "test")


class Images(Protocol):
    """What a source hands over as images: a uint8 [n, h, w, c] array, or an object that decodes on access.

    `images[a:b]` returns uint8 [b-a, h, w, c]; an unreadable file raises `BadInput` naming it. `prepare` reads every
    slice once and in order, a few hundred rows at a time, so a set larger than memory streams through.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, h, w, c)."""
        ...

    def __getitem__(self, rows: slice) -> np.ndarray:
        """uint8 [m, h, w, c] of the sliced rows."""
        ...


@dataclass
class Rows:
    """All rows of a source, in its own order.

    Attributes:
        images: uint8 [n, h, w, c], an array or a lazy sequence (`Images`); gray has c = 1.
        label: int32 [n], indices into `classes`.
        split: str [n], the source's own split of each row: one of `SPLITS`; "train" where it has no splits.
        id: int64 [n], the row's stable number in the source (before anything was dropped), unique.
        classes: canonical class names (`fergen.data.vocabulary`) in label order.
        extras: more arrays with a first axis of n, by name: soft, ferplus, votes, action_units.
        dropped: reason -> number of source rows left out, for example {"label 8 (none)": 33}.
        notes: lines for the audit that a user should read.
        lineage: for generated images, what made them: name -> hash of weights and of the data behind them.
    """

    images: Images | np.ndarray
    label: np.ndarray
    split: np.ndarray
    id: np.ndarray
    classes: tuple[str, ...]
    extras: dict[str, np.ndarray] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    lineage: dict = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.label)
