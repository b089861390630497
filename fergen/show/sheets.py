"""Contact sheets: many small images on one page, with headings and captions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fergen.show import style

_MARGIN, _GAP, _FONT, _LINE = 24, 6, 14, 19


def fitted(image: np.ndarray, side: int) -> Any:
    """Scale an image so that its longer side is `side` pixels.

    Args:
      image: uint8 [h, w, 1] or [h, w, 3].
      side: pixels.

    Returns:
      A Pillow image in RGB.
    """
    from PIL import Image

    drawn = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).convert("RGB")
    ratio = side / max(drawn.size)
    size = (max(1, round(drawn.width * ratio)), max(1, round(drawn.height * ratio)))
    return drawn.resize(size, Image.Resampling.BICUBIC) if size != drawn.size else drawn


def grid(
    images: np.ndarray | Sequence[np.ndarray],
    path: str | Path,
    *,
    columns: int | None = None,
    labels: Sequence[str] | None = None,
    headings: Sequence[str] | None = None,
    captions: Sequence[str] | None = None,
    scale: float | None = None,
    apart: int = 0,
    title: str | None = None,
) -> Path:
    """Write images as a grid.

    Args:
      images: uint8 [n, h, w, c] filled row by row, or [rows, columns, h, w, c]; c is 1 or 3.
      path: the PNG file.
      columns: images per row; None makes the page about three wide by two high.
      labels: one text left of each row, of one or more lines; the first is bold.
      headings: one text above each column.
      captions: one text below each image, of one or more lines; the first is bold.
      scale: pixels drawn per pixel; None makes images about 96 pixels wide.
      apart: this many of the first columns stand apart from the others.
      title: a line above all.

    Returns:
      The path.
    """
    from PIL import Image, ImageDraw

    images = np.asarray(images)
    if images.ndim == 5:
        columns = images.shape[1]
        images = images.reshape(-1, *images.shape[2:])
    if images.ndim != 4 or images.dtype != np.uint8 or not len(images):
        raise ValueError(f"expected uint8 images [n, h, w, c], found {images.dtype} {list(images.shape)}")
    n, h, w = images.shape[:3]
    columns = columns or max(1, min(n, round((1.5 * n) ** 0.5)))
    rows = -(-n // columns)
    side = round(max(h, w) * (scale or max(1.0, 96 / max(h, w))))
    width, height = round(side * w / max(h, w)), round(side * h / max(h, w))

    regular, bold = style.font(_FONT), style.font(_FONT, bold=True)
    below = _LINE * max((text.count("\n") + 1 for text in captions or ()), default=0) + (8 if captions else 0)
    left = _MARGIN
    if labels:
        lines = [(line, bold if i == 0 else regular) for text in labels for i, line in enumerate(text.split("\n"))]
        left += round(max(face.getlength(line) for line, face in lines)) + 16
    top = _MARGIN + (30 if title else 0) + (_LINE + 4 if headings else 0)

    def across(column: int) -> int:
        return left + column * (width + _GAP) + (3 * _GAP if apart and column >= apart else 0)

    page = Image.new(
        "RGB",
        (across(columns) - _GAP + _MARGIN, top + rows * (height + below + _GAP) - _GAP + _MARGIN),
        style.PAPER,
    )
    draw = ImageDraw.Draw(page)

    def write(xy: tuple[int, int], text: str, anchor: str = "la", room: int | None = None) -> None:
        for i, line in enumerate(text.split("\n")):
            face, colour = (bold, style.INK) if i == 0 else (regular, style.MUTED)
            x, y = xy[0], xy[1] + i * _LINE
            draw.text((x, y), line if room is None else shortened(line, face, room), colour, face, anchor=anchor)

    if title:
        draw.text((_MARGIN, _MARGIN - 6), title, style.INK, style.font(17, bold=True))
    for column, heading in enumerate(headings or ()):
        write((across(column), top - _LINE - 4), heading)
    for i, image in enumerate(images):
        row, column = divmod(i, columns)
        x, y = across(column), top + row * (height + below + _GAP)
        page.paste(fitted(image, side), (x, y))
        if captions:
            write((x, y + height + 4), captions[i], room=width)
    for row, text in enumerate(labels or ()):
        block = _LINE * (text.count("\n") + 1)
        write((left - 12, top + row * (height + below + _GAP) + (height - block) // 2), text, "ra")
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    page.save(path, optimize=True)
    return path


def shortened(text: str, face: Any, room: float) -> str:
    """Cut a text so that it fits `room` pixels, with an ellipsis where it was cut."""
    if face.getlength(text) <= room:
        return text
    while text and face.getlength(text + "…") > room:
        text = text[:-1]
    return text.rstrip() + "…"


def by_class(
    images: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    path: str | Path,
    *,
    per_class: int = 12,
    seed: int = 0,
    title: str | None = None,
) -> Path:
    """Write a contact sheet with one row of randomly chosen images per class.

    Args:
      images: uint8 [n, h, w, c], may be memory-mapped; only the images shown are read.
      labels: int [n].
      classes: names; a class without images has no row.
      path: the PNG file.
      per_class: images per row; a class with fewer leaves its row's end white.
      seed: of the choice.
      title: a line above all.

    Returns:
      The path.
    """
    rng = np.random.default_rng(seed)
    labels = np.asarray(labels)
    present = [c for c in range(len(classes)) if (labels == c).any()]
    page = np.full((len(present), per_class, *images.shape[1:]), 255, np.uint8)
    texts = []
    for row, c in enumerate(present):
        of_class = np.flatnonzero(labels == c)
        chosen = np.sort(rng.choice(of_class, min(per_class, len(of_class)), replace=False))
        page[row, : len(chosen)] = images[chosen]
        texts.append(f"{classes[c]}\n{len(of_class):,}")
    return grid(page, path, labels=texts, title=title)


def before_after(
    before: np.ndarray,
    after: np.ndarray,
    path: str | Path,
    *,
    labels: Sequence[str] | None = None,
    title: str | None = None,
) -> Path:
    """Write each image beside several of its augmented versions.

    Args:
      before: uint8 [n, h, w, c].
      after: uint8 [n, k, h, w, c], or [n, h, w, c] for one version each.
      path: the PNG file.
      labels: n texts, such as class names.
      title: a line above all.

    Returns:
      The path.
    """
    after = after[:, None] if after.ndim == 4 else after
    page = np.concatenate([before[:, None], after], axis=1)
    return grid(page, path, labels=labels, headings=["original", "augmented"], apart=1, title=title)
