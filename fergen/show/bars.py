"""Figures of several arms side by side, each with the spread over its runs."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from fergen.show import style


def draw(
    arms: Sequence[str],
    measures: Mapping[str, Sequence[tuple[float, float]]],
    path: str | Path,
    *,
    x: str,
    title: str = "",
) -> Path:
    """Draw a row per arm and a dot per measure, the longest texts included.

    Args:
        arms: names, from top to bottom.
        measures: name -> for each arm (value, standard deviation or NaN); an arm without has NaN for a value.
        path: the PNG file.
        x: what stands below.
        title: above.

    Returns:
        The path.
    """
    height = 0.9 + len(arms) * max(0.3, 0.16 * len(measures))
    with style.figure(path, 7.2, height) as figure:
        axes = figure.subplots()
        for i, (name, values) in enumerate(measures.items()):
            shift = (i - (len(measures) - 1) / 2) * 0.7 / max(1, len(measures))
            axes.errorbar(
                [value for value, _ in values],
                [row + shift for row in range(len(arms))],
                xerr=[0.0 if math.isnan(spread) else spread for _, spread in values],
                fmt="o", markersize=4, capsize=2, elinewidth=0.9, color=style.CYCLE[i % len(style.CYCLE)], label=name,
            )  # fmt: skip
        axes.set_yticks(range(len(arms)), arms)
        axes.set_ylim(len(arms) - 0.5, -0.5)
        axes.set_xlabel(x)
        if title:
            axes.set_title(title)
        if len(measures) > 1:
            axes.legend(loc="best")
    return Path(path)
