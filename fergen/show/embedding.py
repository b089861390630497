"""Two-dimensional maps of feature vectors, coloured by what is known of them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from fergen.show import style


def draw(
    points: np.ndarray, colourings: Mapping[str, np.ndarray], path: str | Path, *, title: str = "", size: float = 4.0
) -> Path:
    """Draw the same points in a panel per colouring.

    Args:
        points: float [n, 2].
        colourings: panel's title -> name of each point's group, str [n].
        path: the PNG file.
        title: above all.
        size: of a dot, in points squared.

    Returns:
        The path.
    """
    with style.figure(path, 4.6 * len(colourings), 4.8) as figure:
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        for axes, (heading, groups) in zip(np.atleast_1d(figure.subplots(1, len(colourings))), colourings.items()):
            # In turn rather than one group over the other, which would hide what lies below.
            order = np.random.default_rng(0).permutation(len(points))
            names = list(dict.fromkeys(groups))
            colours = np.array([style.CYCLE[names.index(name) % len(style.CYCLE)] for name in groups])
            axes.scatter(*points[order].T, c=colours[order], s=size, linewidths=0)
            for i, name in enumerate(names):
                axes.scatter([], [], color=style.CYCLE[i % len(style.CYCLE)], s=16, label=name)
            axes.set_title(heading)
            axes.set_xticks([])
            axes.set_yticks([])
            axes.grid(False)
            axes.legend(loc="upper left", bbox_to_anchor=(0, -0.02), ncols=3, handletextpad=0.2)
    return Path(path)
