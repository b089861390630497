"""Accuracy against what was done to the crop: a panel per curve, with intervals, on one scale."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from fergen.show import style


def draw(
    curves: Mapping[str, Mapping[str, Sequence[tuple[float, float, float, float, float]]]],
    axes: Mapping[str, str],
    path: str | Path,
    *,
    title: str = "",
) -> Path:
    """Draw the curves.

    Args:
        curves: curve -> series -> [(x, accuracy, low, high, found)], shares.
        axes: curve -> what stands below its panel.
        path: the PNG file.
        title: above all.

    Returns:
        The path.
    """
    columns = min(2, len(curves))
    rows = math.ceil(len(curves) / columns)
    series = list(dict.fromkeys(name for each in curves.values() for name in each))
    colours = {name: style.CYCLE[i % len(style.CYCLE)] for i, name in enumerate(series)}
    with style.figure(path, 0.4 + 3.9 * columns, 0.4 + 2.5 * rows) as figure:
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        grid = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
        for panel in grid[len(curves) :]:
            panel.set_visible(False)
        explained = False
        for panel, (curve, lines) in zip(grid, curves.items()):
            looked: list[list[float]] = []
            for name, points in lines.items():
                xs, accuracy, low, high, found = ([100 * p[i] if i else p[i] for p in points] for i in range(5))
                colour = colours[name]
                panel.plot(xs, accuracy, color=colour, marker="o", markersize=3, label=name)
                panel.fill_between(xs, low, high, color=colour, alpha=0.15, linewidth=0)
                # A detector's aligned faces and its boxes alone are the same faces.
                if min(found) < 100 and found not in looked:
                    looked.append(found)
                    panel.plot(xs, found, color=colour, linestyle=":", linewidth=1.0, label=f"{name}: faces found")
            panel.set_xlabel(axes[curve])
            panel.set_ylabel("accuracy, %")
            panel.set_ylim(0, 100)
            if (len(lines) > 1 or looked) and not explained:
                panel.legend(loc="lower right", fontsize=6.5, ncols=2)
                explained = True
    return Path(path)
