"""The most confident mistakes, to be looked at: half of them are usually the labels'."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fergen.show import sheets


def most_confident(probabilities: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """Return the rows int [<= count] whose wrong prediction has the highest probability, highest first.

    Args:
      probabilities: float [n, C].
      labels: int [n].
      count: most rows to return.
    """
    wrong = np.flatnonzero(probabilities.argmax(1) != labels)
    return wrong[np.argsort(-probabilities[wrong].max(1), kind="stable")][:count]


def draw(
    images: np.ndarray,
    probabilities: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    path: str | Path,
    *,
    count: int = 24,
    title: str | None = None,
) -> Path | None:
    """Write the most confident mistakes with true class, predicted class and probability.

    Args:
      images: uint8 [n, h, w, c], may be memory-mapped; only the images shown are read.
      probabilities: float [n, C].
      labels: int [n].
      classes: C names.
      path: the PNG file.
      count: images shown at most.
      title: a line above all; None for "most confident mistakes".

    Returns:
      The path; None, and no file, where there is no mistake.
    """
    rows = most_confident(probabilities, np.asarray(labels), count)
    if not len(rows):
        return None
    captions = [
        f"{classes[probabilities[row].argmax()]} {probabilities[row].max():.0%}\nlabel {classes[labels[row]]}"
        for row in rows
    ]
    shown = np.stack([np.asarray(images[row]) for row in rows])
    scale = 120 / max(shown.shape[1:3])
    return sheets.grid(
        shown, path, columns=min(8, len(rows)), captions=captions, scale=scale, title=title or "most confident mistakes"
    )
