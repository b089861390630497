"""The one look of every picture: ink on white, a blue for what is, a rust for what is off."""

import contextlib
from collections.abc import Generator
from functools import cache
from pathlib import Path
from typing import Any

INK, MUTED, HAIRLINE, PAPER = "#1c2126", "#68727d", "#dfe3e8", "#ffffff"
BLUE, RUST, SAND, TEAL, PLUM = "#2f5f8f", "#c4543a", "#d9a441", "#3d8f86", "#8a5a83"
CYCLE = (BLUE, RUST, TEAL, SAND, PLUM, "#7a8794", "#5b7d3c", "#b0768a")
# White to blue in even steps of lightness, for shares from 0 to 1.
SHADES = ("#ffffff", "#e3ebf3", "#b9cde1", "#85a8ca", "#5182b0", "#2f5f8f", "#1c3f63")

DPI = 160
_RC: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.labelsize": 9,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": HAIRLINE,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "text.color": INK,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
}


@contextlib.contextmanager
def figure(path: str | Path, width: float, height: float) -> Generator[Any]:
    """Yield a matplotlib figure in the common look, and write it to a PNG file on leaving.

    Args:
      path: where the PNG goes; its folder is made.
      width: inches.
      height: inches.

    Yields:
      A `matplotlib.figure.Figure`, made without pyplot: no global state, no display.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    path = Path(path)
    with matplotlib.rc_context(_RC):
        drawn = Figure(figsize=(width, height), layout="constrained", facecolor=PAPER)
        FigureCanvasAgg(drawn)
        yield drawn
        path.parent.mkdir(parents=True, exist_ok=True)
        drawn.savefig(path, dpi=DPI, format="png")


@cache
def shades() -> Any:
    """Return the white-to-blue colour map."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("fergen", SHADES)


@cache
def font(size: int, bold: bool = False) -> Any:
    """Return the pictures' font for Pillow, the same face that the plots use."""
    import matplotlib
    from PIL import ImageFont

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name), size)
