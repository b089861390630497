"""Figures against something that was varied: a line per series, with the spread over runs."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from fergen.show import style


class Point(NamedTuple):
    """Where a series passes: x, y, the standard deviation of y (NaN for none), and a word beside it."""

    x: float
    y: float
    spread: float = math.nan
    word: str = ""


def draw(
    series: Mapping[str, Sequence[Point]],
    path: str | Path,
    *,
    x: str,
    y: str,
    title: str = "",
    level: Mapping[str, float] | None = None,
    log: bool = False,
    marks: bool = True,
) -> Path:
    """Draw a line per series.

    Args:
        series: name -> its points, in the order in which they are joined.
        path: the PNG file.
        x: what stands below.
        y: what stands on the left.
        title: above.
        level: name -> height of a dashed line across, such as a reference's figure.
        log: x in powers.
        marks: a dot at each point.

    Returns:
        The path.
    """
    with style.figure(path, 7.2, 4.2) as figure:
        axes = figure.subplots()
        for i, (name, points) in enumerate(series.items()):
            colour = style.CYCLE[i % len(style.CYCLE)]
            xs, ys = [point.x for point in points], [point.y for point in points]
            bars = [0.0 if math.isnan(point.spread) else point.spread for point in points]
            axes.errorbar(
                xs, ys, yerr=bars if any(bars) else None, color=colour, label=name, marker="o" if marks else None,
                markersize=4, capsize=2, elinewidth=0.9,
            )  # fmt: skip
            for point in points:
                if point.word:
                    axes.annotate(
                        point.word, point[:2], xytext=(4, 4), textcoords="offset points", fontsize=7, color=style.MUTED
                    )
        for name, height in (level or {}).items():
            axes.axhline(height, color=style.MUTED, linestyle="--", linewidth=0.9)
            axes.annotate(name, (1, height), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=7)
        if log:
            axes.set_xscale("log")
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        if title:
            axes.set_title(title)
        if len(series) > 1:
            axes.legend(loc="best")
    return Path(path)
