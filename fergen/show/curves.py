"""Training and validation curves from the metric record."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fergen.show import style

_SPELLING = {
    "macro_f1": "macro-F1",
    "macro_recall": "macro recall",
    "auroc": "AUROC",
    "nll": "negative log-likelihood",
    "ece": "ECE",
}


def series(records: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Sort a record's numbers into curves.

    Args:
      records: rows with `step` and flat metric names; a name is `measure` or `split/measure`.

    Returns:
      measure -> split -> (steps int [m], values float [m]), in order of appearance; "training" where a name has no
      split. Only measures of the whole split: deeper names (`validation/accuracy/happy`) and intervals are left out.
    """
    found: dict[str, dict[str, list]] = {}
    for row in records:
        for name, value in row.items():
            split, _, measure = name.rpartition("/")
            if name == "step" or "/" in split or "." in measure or not isinstance(value, (int, float)):
                continue
            found.setdefault(measure, {}).setdefault(split or "training", []).append((row["step"], value))
    return {
        measure: {
            split: (np.array([s for s, _ in points]), np.array([v for _, v in points], float))
            for split, points in splits.items()
        }
        for measure, splits in found.items()
    }


def smoothed(values: np.ndarray, window: int) -> np.ndarray:
    """Average over a centred window that shrinks at both ends; NaN counts for nothing."""
    defined = np.isfinite(values)
    total = np.concatenate([[0.0], np.cumsum(np.where(defined, values, 0.0))])
    count = np.concatenate([[0], np.cumsum(defined)])
    half = window // 2
    low, high = np.maximum(np.arange(len(values)) - half, 0), np.minimum(np.arange(len(values)) + half + 1, len(values))
    return (total[high] - total[low]) / np.maximum(count[high] - count[low], 1)


def draw(
    records: Iterable[Mapping[str, Any]],
    path: str | Path,
    *,
    measures: Sequence[str] = ("loss", "accuracy", "macro_recall", "learning_rate"),
    title: str | None = None,
) -> Path:
    """Write one panel per measure, training and evaluated splits in one panel.

    Args:
      records: see `series`; the rows of a metrics.jsonl.
      path: the PNG file.
      measures: the panels wanted, in order; those that the record lacks are left out, and if it has none of them
        every measure in it is drawn.
      title: a line above all.

    Returns:
      The path.

    Raises:
      ValueError: the record holds no measure.
    """
    found = series(records)
    if not found:
        raise ValueError("expected a metric record with at least one measure, found none")
    panels = [name for name in measures if name in found] or list(found)
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    splits = list(dict.fromkeys(split for name in panels for split in found[name]))
    colours = {split: style.CYCLE[i % len(style.CYCLE)] for i, split in enumerate(splits)}
    with style.figure(path, 0.4 + 3.9 * columns, 0.4 + 2.6 * rows) as figure:
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes in grid.ravel()[len(panels) :]:
            axes.set_visible(False)
        for axes, name in zip(grid.ravel(), panels):
            for split, (steps, values) in found[name].items():
                colour = colours[split]
                if len(values) > 100:
                    axes.plot(steps, values, color=colour, alpha=0.22, linewidth=0.7)
                    values = smoothed(values, len(values) // 40)
                marks = {"marker": "o", "markersize": 3} if len(values) < 40 else {}
                axes.plot(steps, values, color=colour, label=split, **marks)
            axes.set_title(_SPELLING.get(name, name.replace("_", " ")))
            axes.margins(x=0.02)
            if set(found[name]) != {"training"}:
                axes.legend()
            low, high = axes.get_ylim()
            if high - low < 1e-3 * abs(high):  # a flat curve is not stretched to its rounding errors
                axes.set_ylim(low - 0.05 * abs(low), high + 0.05 * abs(high))
            axes.ticklabel_format(axis="y", useOffset=False)
            axes.locator_params(axis="x", integer=True, nbins=8)
            axes.xaxis.set_major_formatter(_thousands)
            axes.set_xlabel("step")
    return Path(path)


def _thousands(value: float, _position: int) -> str:
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"
