"""Pieces of HTML that the tabs put together; every text that comes from outside is escaped here."""

import base64
import html
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image


def text(value: object) -> str:
    """Escape a text."""
    return html.escape(str(value))


def notice(message: str) -> str:
    """Say what is wrong and what to do, where the result would stand."""
    return f'<p class="fg-notice" role="alert">{text(message)}</p>'


def hint(message: str) -> str:
    """Say quietly what will stand here."""
    return f'<p class="fg-hint">{text(message)}</p>'


def picture(image: np.ndarray, name: str, *, css: str = "", quality: int | None = None) -> str:
    """Return an image element that holds its own pixels: nothing is left on disk.

    Args:
        image: uint8 [h, w, c], c 1 or 3.
        name: said to those who do not see it.
        css: class names.
        quality: of a JPEG, for photographs; None for a PNG.
    """
    stream = io.BytesIO()
    plain = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    if quality is None:
        plain.save(stream, "PNG")
    else:
        plain.save(stream, "JPEG", quality=quality)
    return encoded(stream.getvalue(), "png" if quality is None else "jpeg", name, css=css)


def encoded(data: bytes, kind: str, name: str, *, css: str = "") -> str:
    """Return an image element of a file's bytes, of kind "png" or "jpeg"."""
    source = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    return f'<img class="{text(css)}" src="{source}" alt="{text(name)}" decoding="sync">'


def bars(names: Sequence[str], values: np.ndarray, *, quiet: bool = False) -> str:
    """Return a bar for each class, in the classes' order, the greatest stressed.

    Args:
        names: C classes.
        values: float [C] in [0, 1].
        quiet: stress none.
    """
    best = -1 if quiet else int(np.argmax(values))
    rows = "".join(
        f"<li{' class=fg-best' if i == best else ''}><span>{text(name)}</span>"
        f'<i><b style="width:{100 * float(value):.1f}%"></b></i><span>{100 * float(value):.0f} %</span></li>'
        for i, (name, value) in enumerate(zip(names, values))
    )
    return f'<ul class="fg-bars">{rows}</ul>'


def faces(images: np.ndarray, rows: Sequence[str]) -> str:
    """Return a row of faces for each text.

    Args:
        images: uint8 [rows, columns, h, w, c].
        rows: texts before the rows; empty ones for none.
    """
    lines = "".join(
        f'<div class="fg-row"><span>{text(name)}</span><div>'
        + "".join(picture(face, f"{name} face {i + 1}", css="fg-face") for i, face in enumerate(line))
        + "</div></div>"
        for name, line in zip(rows, images)
    )
    return f'<div class="fg-grid" style="--columns:{images.shape[1]}">{lines}</div>'


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table; its first column names the rows, the others are figures."""
    top = "".join(f"<th>{text(head)}</th>" for head in heads)
    body = "".join("<tr>" + "".join(f"<td>{text(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<table class="fg-table"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>'


def curve(series: Sequence[tuple[str, Sequence[float]]], steps: int) -> str:
    """Return lines of probabilities over the steps of a search, as they are known so far.

    Args:
        series: (name, values in [0, 1] at the steps 0, 1, ...); at most two.
        steps: of the whole search.
    """
    width, height = 320, 84
    paths, names = [], []
    for i, (name, values) in enumerate(series):
        points = " ".join(f"{width * x / max(steps, 1):.1f},{height * (1 - y):.1f}" for x, y in enumerate(values))
        paths.append(f'<polyline class="fg-line{i}" points="{points}"/>')
        names.append(f'<span class="fg-key{i}">{text(name)} {100 * values[-1]:.0f} %</span>')
    grid = "".join(f'<line x1="0" x2="{width}" y1="{y}" y2="{y}"/>' for y in (0, height / 2, height))
    return (
        f'<div class="fg-curve"><svg viewBox="-2 -4 {width + 4} {height + 8}" role="img"'
        f' aria-label="probability by step">{grid}{"".join(paths)}</svg><p>{"".join(names)}</p></div>'
    )
