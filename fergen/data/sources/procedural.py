"""Procedural faces: the set that ships as code, drawn on first use, with its true action units kept as labels.

Each split numbers its faces from its own start, so no face is in two splits, and a larger set begins with the faces
of a smaller one.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fergen.core.errors import BadInput
from fergen.data.procedural import faces
from fergen.data.procedural.parameters import Difficulty
from fergen.data.sources import Rows
from fergen.data.vocabulary import VOCABULARIES

STARTS = {"train": 0, "validation": 1 << 40, "test": 1 << 41}
HELD_OUT = 10  # one face in so many is for validation, and as many for test
FEWEST = 10
LABELS_AT_ONCE = 4096


def read(
    path: Path | None = None,
    *,
    count: int = 20_000,
    size: int = 48,
    channels: int = 1,
    seed: int = 0,
    vocabulary: str = "seven",
) -> Rows:
    """List procedural faces; their pixels are drawn when a slice of the images is taken.

    Args:
        path: must be None; nothing is read.
        count: number of faces, >= 10: eight tenths train, a tenth each validation and test.
        size: side of the images in pixels, 32 to 256.
        channels: 1 for gray, 3 for RGB.
        seed: another seed gives other faces.
        vocabulary: "five", "seven" or "eight".

    Returns:
        Rows with `action_units` float32 [n, 19] in [0, 1] among the extras, columns as `action_units.UNITS`.

    Raises:
        BadInput: a path, or an option out of range.
    """
    if path is not None:
        raise BadInput(f"procedural faces are drawn, not read: leave out --from {path}")
    if count < FEWEST:
        raise BadInput(f"procedural faces: count must be {FEWEST} or more, found {count}")
    faces.check(size=size, channels=channels, seed=seed, vocabulary=vocabulary)
    held = count // HELD_OUT
    sizes = {"train": count - 2 * held, "validation": held, "test": held}
    index = np.concatenate([np.arange(n, dtype=np.int64) + STARTS[split] for split, n in sizes.items()])
    label, units = _labels(index, seed, vocabulary)
    return Rows(
        images=Drawn(index, size=size, channels=channels, seed=seed, vocabulary=vocabulary),
        label=label,
        split=np.repeat(list(sizes), list(sizes.values())),
        id=index,
        classes=VOCABULARIES[vocabulary],
        extras={"action_units": units},
    )


class Drawn:
    """Images that are drawn when they are sliced."""

    def __init__(self, index: np.ndarray, *, size: int, channels: int, seed: int, vocabulary: str):
        self.index = index
        self.size, self.channels, self.seed, self.vocabulary = size, channels, seed, vocabulary
        self.shape = (len(index), size, size, channels)

    def __getitem__(self, rows: slice) -> np.ndarray:
        """Draw the sliced rows; uint8 [m, size, size, channels]."""
        drawn = faces.draw(
            self.index[rows], seed=self.seed, size=self.size, channels=self.channels, vocabulary=self.vocabulary
        )
        return drawn.images


def _labels(index: np.ndarray, seed: int, vocabulary: str) -> tuple[np.ndarray, np.ndarray]:
    """Draw labels int32 [n] and action units float32 [n, 19] without any pixels, some thousands at a time."""
    parts = [
        faces.recipe(index[start : start + LABELS_AT_ONCE], seed=seed, vocabulary=vocabulary, difficulty=Difficulty())
        for start in range(0, len(index), LABELS_AT_ONCE)
    ]
    return np.concatenate([part.labels for part in parts]), np.concatenate([part.units for part in parts])
