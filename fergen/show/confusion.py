"""The confusion matrix as a picture."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fergen.show import style


def draw(counts: np.ndarray, classes: Sequence[str], path: str | Path, *, title: str | None = None) -> Path:
    """Write a confusion matrix: shade and percentage are shares of the true class, with counts below.

    Args:
      counts: [C, C], row = true class, column = predicted class.
      classes: C names.
      path: the PNG file.
      title: a line above; None gives accuracy and number of rows.

    Returns:
      The path.
    """
    counts = np.asarray(counts)
    totals = counts.sum(1)
    shares = counts / np.maximum(totals, 1)[:, None]
    size = len(classes)
    if title is None:
        title = f"accuracy {np.trace(counts) / max(totals.sum(), 1):.1%}, n = {int(totals.sum()):,}"
    with style.figure(path, 1.9 + 0.68 * size, 1.3 + 0.6 * size) as figure:
        axes = figure.subplots()
        axes.imshow(shares, cmap=style.shades(), vmin=0, vmax=1, aspect="auto")
        for true, row in enumerate(shares):
            for predicted, share in enumerate(row):
                colour = style.PAPER if share > 0.62 else style.INK if share >= 0.01 else style.MUTED
                axes.text(
                    predicted,
                    true - 0.1,
                    f"{100 * share:.0f}",
                    ha="center",
                    va="center",
                    color=colour,
                    fontsize=10,
                    fontweight="bold" if true == predicted else "normal",
                )
                axes.text(
                    predicted,
                    true + 0.25,
                    f"{int(counts[true, predicted]):,}",
                    ha="center",
                    va="center",
                    color=colour,
                    fontsize=7,
                )
        axes.set_xticks(range(size), classes, rotation=30 if size > 5 else 0, ha="right" if size > 5 else "center")
        axes.set_yticks(range(size), [f"{name}\nn = {int(n):,}" for name, n in zip(classes, totals)])
        axes.set(xlabel="predicted class (% of the true class, rows below)", ylabel="true class")
        axes.set_title(title)
        # White lines between the cells stand in for grid and frame.
        axes.grid(False)
        axes.set_xticks(np.arange(size + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(size + 1) - 0.5, minor=True)
        axes.grid(which="minor", color=style.PAPER, linewidth=2)
        axes.tick_params(which="both", length=0)
        axes.spines[:].set_visible(False)
    return Path(path)
