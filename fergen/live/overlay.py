"""What is seen, drawn into the frame: boxes, names, bars of probabilities, frames per second."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from fergen.live.abstention import UNCERTAIN
from fergen.live.loop import Expression, Seen
from fergen.show import style

FOOT = "a facial expression, not an inner feeling"
# More faces than this get their names alone: bars would hide the picture.
CROWD = 4
_HEIGHT = 480  # of the frame that lengths below are for, in pixels


def _rgb(text: str) -> tuple[int, int, int]:
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


INK, PAPER, FAINT, ACCENT, QUIET = map(_rgb, (style.INK, style.PAPER, "#aab3bd", "#79b4ec", "#d7dce2"))
_OPACITY = 0.78


class Rect(NamedTuple):
    """A rectangle in pixels."""

    x: int
    y: int
    w: int
    h: int


def draw(image: np.ndarray, seen: Seen, classes: Sequence[str]) -> np.ndarray:
    """Draw what is seen in a frame.

    Args:
        image: uint8 [h, w, 3] RGB; it is left as it is.
        seen: what is seen in it.
        classes: C names.

    Returns:
        uint8 [h, w, 3] RGB.
    """
    out = np.ascontiguousarray(image).copy()
    unit = max(0.6, min(image.shape[0], image.shape[1] * 0.75) / _HEIGHT)
    boxes = [Rect(*(round(v) for v in face.face.box)) for face in seen.faces]
    for box, face in zip(boxes, seen.faces):
        _outline(out, box, QUIET if face.name == UNCERTAIN else ACCENT, unit)
    wholes = [_joined(box, _name(out, box, face, unit)) for box, face in zip(boxes, seen.faces)]
    if len(wholes) <= CROWD:
        taken = list(wholes)
        for whole, face in zip(wholes, seen.faces):
            taken.append(_bars(out, whole, taken, face, classes, unit))
    edge = round(8 * unit)
    _chip(out, edge, edge, f"{seen.rate:.0f} frames/s" if seen.rate else "...", unit, PAPER)
    _chip(out, edge, out.shape[0] - edge - _tall(unit), FOOT, unit, FAINT)
    return out


def _tall(unit: float) -> int:
    return round(20 * unit)


def _outline(out: np.ndarray, box: Rect, colour: tuple[int, int, int], unit: float) -> None:
    """Round the box's corners off, with a dark line under the light one: it shows on any background."""
    r = max(2, round(0.08 * min(box.w, box.h)))
    x0, y0, x1, y1 = box.x, box.y, box.x + box.w, box.y + box.h
    for shade, thick in ((INK, round(4 * unit)), (colour, max(1, round(2 * unit)))):
        for a, b in (
            ((x0 + r, y0), (x1 - r, y0)), ((x0 + r, y1), (x1 - r, y1)),
            ((x0, y0 + r), (x0, y1 - r)), ((x1, y0 + r), (x1, y1 - r)),
        ):  # fmt: skip
            cv2.line(out, a, b, shade, thick, cv2.LINE_AA)
        for centre, turn in (
            ((x0 + r, y0 + r), 180), ((x1 - r, y0 + r), 270), ((x1 - r, y1 - r), 0), ((x0 + r, y1 - r), 90)
        ):  # fmt: skip
            cv2.ellipse(out, centre, (r, r), turn, 0, 90, shade, thick, cv2.LINE_AA)


def _name(out: np.ndarray, box: Rect, face: Expression, unit: float) -> Rect:
    sure = face.name != UNCERTAIN
    text = f"{face.name}  {face.probabilities.max():.0%}" if sure else face.name
    size, pad = round(14 * unit), round(7 * unit)
    h, w = glyphs(text, size, True).shape
    number = glyphs(f"{face.id}", round(10 * unit), False)
    width, height = w + number.shape[1] + 3 * pad, round(24 * unit)
    x = int(np.clip(box.x, 0, max(0, out.shape[1] - width)))
    gap = round(5 * unit)
    above, below = box.y - height - gap, box.y + box.h + gap
    # Above the box; where the picture ends there, below it, else inside.
    y = above if above >= 0 else below if below + height <= out.shape[0] else max(0, box.y) + gap
    panel = Rect(x, y, width, height)
    _panel(out, panel, unit)
    _text(out, x + pad, y + (height - h) // 2, text, size, ACCENT if sure else QUIET, bold=True)
    _text(out, x + width - pad - number.shape[1], y + (height - number.shape[0]) // 2, f"{face.id}",
          round(10 * unit), FAINT)  # fmt: skip
    return panel


def _bars(out: np.ndarray, box: Rect, taken: list[Rect], face: Expression, classes: Sequence[str], unit: float) -> Rect:
    """Draw a panel of bars beside a face, where it hides least, and return where that is."""
    size, pad, pitch, bar = round(11 * unit), round(8 * unit), round(16 * unit), round(64 * unit)
    left = max(glyphs(name, size, True).shape[1] for name in classes) + pad
    right = glyphs("100%", size, True).shape[1] + pad // 2
    panel = _place(out, box, taken, 2 * pad + left + bar + right, 2 * pad + pitch * len(classes), round(10 * unit))
    _panel(out, panel, unit)
    best = int(np.argmax(face.probabilities))
    for c, (name, p) in enumerate(zip(classes, face.probabilities)):
        first = c == best
        colour = (ACCENT if face.name != UNCERTAIN else QUIET) if first else FAINT
        y = panel.y + pad + pitch * c + pitch // 2
        label = glyphs(name, size, first)
        _text(out, panel.x + pad, y - label.shape[0] // 2, name, size, PAPER if first else FAINT, bold=first)
        x, half = panel.x + pad + left, max(1, round(3.5 * unit))
        _fill(out, Rect(x, y - half, bar, 2 * half), PAPER, 0.16)
        _fill(out, Rect(x, y - half, round(bar * float(p)), 2 * half), colour, 1.0)
        share = f"{p:.0%}"
        mask = glyphs(share, size, first)
        x = panel.x + panel.w - pad - mask.shape[1]
        _text(out, x, y - mask.shape[0] // 2, share, size, PAPER if first else FAINT, bold=first)
    return panel


def _place(out: np.ndarray, box: Rect, taken: list[Rect], w: int, h: int, gap: int) -> Rect:
    height, width = out.shape[:2]
    middle = box.y + (box.h - h) // 2
    choices = [
        (box.x + box.w + gap, middle), (box.x - gap - w, middle),
        (box.x + (box.w - w) // 2, box.y + box.h + gap), (box.x + (box.w - w) // 2, box.y - 4 * gap - h),
    ]  # fmt: skip
    inside = [
        Rect(int(np.clip(x, 0, max(0, width - w))), int(np.clip(y, 0, max(0, height - h))), w, h) for x, y in choices
    ]
    return min(inside, key=lambda panel: sum(_common(panel, other) for other in taken))


def _joined(a: Rect, b: Rect) -> Rect:
    x, y = min(a.x, b.x), min(a.y, b.y)
    return Rect(x, y, max(a.x + a.w, b.x + b.w) - x, max(a.y + a.h, b.y + b.h) - y)


def _common(a: Rect, b: Rect) -> int:
    x = min(a.x + a.w, b.x + b.w) - max(a.x, b.x)
    y = min(a.y + a.h, b.y + b.h) - max(a.y, b.y)
    return max(0, x) * max(0, y)


def _chip(out: np.ndarray, x: int, y: int, text: str, unit: float, colour: tuple[int, int, int]) -> None:
    size, pad = round(11 * unit), round(6 * unit)
    h, w = glyphs(text, size, False).shape
    _panel(out, Rect(x, y, w + 2 * pad, _tall(unit)), unit)
    _text(out, x + pad, y + (_tall(unit) - h) // 2, text, size, colour)


def _window(out: np.ndarray, rect: Rect) -> tuple[np.ndarray, slice, slice]:
    """Return the part of the picture under a rectangle, and the part of the rectangle that lies on the picture."""
    x0, y0 = max(0, rect.x), max(0, rect.y)
    part = out[y0 : max(y0, rect.y + rect.h), x0 : max(x0, rect.x + rect.w)]
    rows, columns = y0 - rect.y, x0 - rect.x
    return part, slice(rows, rows + part.shape[0]), slice(columns, columns + part.shape[1])


def _blend(part: np.ndarray, mask: np.ndarray, colour: tuple[int, int, int]) -> None:
    """Lay a colour over a part of the picture as thickly as the mask says, float32 [h, w, 1] in [0, 1]."""
    part += ((np.array(colour, np.float32) - part) * mask).astype(np.int16).astype(np.uint8)


def _panel(out: np.ndarray, rect: Rect, unit: float) -> None:
    part, rows, columns = _window(out, rect)
    _blend(part, _rounded(rect.w, rect.h, round(5 * unit))[rows, columns], INK)


def _fill(out: np.ndarray, rect: Rect, colour: tuple[int, int, int], opacity: float) -> None:
    part, _, _ = _window(out, rect)
    _blend(part, np.full((*part.shape[:2], 1), opacity, np.float32), colour)


def _text(
    out: np.ndarray, x: int, y: int, text: str, size: int, colour: tuple[int, int, int], *, bold: bool = False
) -> None:
    mask = glyphs(text, size, bold)
    part, rows, columns = _window(out, Rect(x, y, mask.shape[1], mask.shape[0]))
    _blend(part, mask[rows, columns, None], colour)


@lru_cache(maxsize=256)
def _rounded(w: int, h: int, r: int) -> np.ndarray:
    """Return a rounded rectangle's mask, smoothed at the edge by drawing it four times as large."""
    mask = np.zeros((4 * h, 4 * w), np.uint8)
    r = min(r, w // 2, h // 2)
    x, y, c = 4 * w - 1, 4 * h - 1, 4 * r
    cv2.rectangle(mask, (c, 0), (x - c, y), 255, -1)
    cv2.rectangle(mask, (0, c), (x, y - c), 255, -1)
    for centre in ((c, c), (x - c, c), (c, y - c), (x - c, y - c)):
        cv2.circle(mask, centre, c, 255, -1)
    small = cv2.resize(mask, (w, h), interpolation=cv2.INTER_AREA)
    return (small[..., None] * np.float32(_OPACITY / 255)).astype(np.float32)


@lru_cache(maxsize=2048)
def glyphs(text: str, size: int, bold: bool) -> np.ndarray:
    """Return a text's mask in the pictures' font, float32 [h, w] in [0, 1]; OpenCV's own letters are stick figures."""
    font = style.font(size, bold)
    left, _, right, _ = font.getbbox(text)
    ascent, descent = font.getmetrics()
    from PIL import Image, ImageDraw

    page = Image.new("L", (max(1, round(right - left)), ascent + descent))
    ImageDraw.Draw(page).text((-left, 0), text, fill=255, font=font)
    return np.asarray(page, np.float32) / 255
