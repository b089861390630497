"""Predictions on the images: each face beside the probabilities of its classes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fergen.show import style
from fergen.show.sheets import fitted, shortened

_MARGIN, _BARS, _NAME, _PERCENT, _BETWEEN, _TITLE = 24, 110, 78, 44, 28, 24


def draw(
    images: Sequence[np.ndarray],
    probabilities: np.ndarray,
    classes: Sequence[str],
    path: str | Path,
    *,
    sources: Sequence[str] | None = None,
    columns: int | None = None,
) -> Path:
    """Write every image with a bar per class.

    Args:
      images: n arrays uint8 [h, w, c] of any sizes, c 1 or 3.
      probabilities: float [n, C].
      classes: C names.
      path: the PNG file.
      sources: n texts above the images, such as file names.
      columns: images side by side; None for up to 3.

    Returns:
      The path.
    """
    from PIL import Image, ImageDraw

    n = len(images)
    columns = columns or min(3, n)
    pitch = 21
    side = max(140, pitch * len(classes) - 4)
    title = _TITLE if sources else 0
    width, height = side + 12 + _NAME + _BARS + _PERCENT, side + title
    rows = -(-n // columns)
    page = Image.new(
        "RGB",
        (2 * _MARGIN + columns * (width + _BETWEEN) - _BETWEEN, 2 * _MARGIN + rows * (height + _BETWEEN) - _BETWEEN),
        style.PAPER,
    )
    pen = ImageDraw.Draw(page)
    regular, bold = style.font(13), style.font(13, bold=True)
    for i, (image, row) in enumerate(zip(images, probabilities)):
        x = _MARGIN + i % columns * (width + _BETWEEN)
        y = _MARGIN + i // columns * (height + _BETWEEN)
        if sources:
            pen.text((x, y), shortened(str(sources[i]), regular, width), style.MUTED, regular)
        y += title
        face = fitted(image, side)
        page.paste(face, (x + (side - face.width) // 2, y + (side - face.height) // 2))
        left, top = x + side + 12 + _NAME, y + (side - pitch * len(classes)) // 2
        for c, name in enumerate(classes):
            best = c == int(np.argmax(row))
            text, colour = (bold, style.INK) if best else (regular, style.MUTED)
            middle = top + pitch * c + pitch // 2
            pen.text((left - 8, middle), shortened(name, text, _NAME), colour, text, anchor="rm")
            pen.rectangle((left, middle - 6, left + _BARS, middle + 6), style.HAIRLINE)
            length = round(_BARS * float(row[c]))
            if length:
                pen.rectangle((left, middle - 6, left + length, middle + 6), style.BLUE if best else "#9db4cb")
            pen.text((left + _BARS + _PERCENT, middle), f"{row[c]:.0%}", colour, text, anchor="rm")
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    page.save(path, optimize=True)
    return path
