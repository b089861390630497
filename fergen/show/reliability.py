"""Reliability diagrams: is a confidence of 80 % right 80 % of the time?"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from fergen.metrics.calibration import Reliability
from fergen.show import style


def draw(panels: Mapping[str, Reliability], path: str | Path, *, title: str | None = None) -> Path:
    """Write one or more reliability diagrams side by side (Guo et al., 2017, figure 4), rows per bin below.

    Args:
      panels: heading -> bins; the expected calibration error is added to each heading.
      path: the PNG file.
      title: a line above all.

    Returns:
      The path.
    """
    with style.figure(path, 0.6 + 3.3 * len(panels), 4.4) as figure:
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        axes = figure.subplots(2, len(panels), squeeze=False, sharex=True, sharey="row", height_ratios=(4, 1))
        for column, (heading, bins) in enumerate(panels.items()):
            above, below = axes[:, column]
            middle, width = (bins.edges[1:] + bins.edges[:-1]) / 2, np.diff(bins.edges)
            filled = bins.count > 0
            share = bins.count / bins.count.sum()
            error = float((share * np.nan_to_num(np.abs(bins.accuracy - bins.confidence))).sum())
            accuracy, confidence = bins.accuracy[filled], bins.confidence[filled]
            above.bar(middle[filled], accuracy, 0.86 * width[filled], color=style.BLUE, label="accuracy")
            for colour, label, over in (
                ("#e6b3a6", "confidence above accuracy", np.maximum(confidence - accuracy, 0)),
                (style.TEAL, "accuracy above confidence", np.maximum(accuracy - confidence, 0)),
            ):
                bottom = np.minimum(accuracy, confidence)
                above.bar(middle[filled], over, 0.86 * width[filled], bottom, color=colour, label=label)
            above.set_title(f"{heading}: ECE {error:.3f}")
            above.plot([0, 1], [0, 1], color=style.INK, linewidth=0.9, linestyle=(0, (4, 3)))
            above.set(xlim=(0, 1), ylim=(0, 1))
            below.bar(middle, 100 * share, 0.86 * width, color=style.MUTED)
            below.set_xlabel("confidence")
            if column == 0:
                above.set_ylabel("accuracy")
                below.set_ylabel("% of rows")
                above.legend(loc="upper left")
    return Path(path)
