"""Pictures that a browser sends: read within limits, and shown with what was found on them."""

import base64
import binascii
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from fergen.core.errors import BadInput
from fergen.data import images
from fergen.data.detect import Face
from fergen.show import style

MAX_BYTES = "20mb"  # of an upload
MAX_PIXELS = 24_000_000
SIDE = 1280  # the longer side of what is searched for faces


def payload_of(payload: Any) -> bytes | Path | None:
    """Return what an image component of the page holds: a file that the server stored, or bytes in the message."""
    if payload is None:
        return None
    url = getattr(payload, "url", None) or ""
    if url.startswith("data:"):
        try:
            return base64.b64decode(url.partition(",")[2], validate=True)
        except binascii.Error:
            return b""
    path = getattr(payload, "path", None)
    return Path(path) if path else None


def read(sent: bytes | Path | None) -> np.ndarray:
    """Decode a picture, upright, its longer side at most `SIDE` pixels: uint8 [h, w, 3].

    Raises:
        BadInput: there is none, it is none, it is damaged, or it has more than `MAX_PIXELS` pixels.
    """
    if sent is None:
        raise BadInput("No picture yet: drop a photograph on the field, or choose one.")
    data = sent if isinstance(sent, bytes) else images.load(sent)
    require_small(data)
    try:
        image = images.decode(data, where="This file", channels=3)
    except BadInput as error:
        raise BadInput(f"{error}. Take a JPEG or PNG photograph.") from None
    ratio = SIDE / max(image.shape[:2])
    if ratio >= 1:
        return image
    size = max(1, round(image.shape[1] * ratio)), max(1, round(image.shape[0] * ratio))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def require_small(data: bytes) -> None:
    """Check the size that a picture's header claims, before any pixel is decoded.

    Raises:
        BadInput: it is more than `MAX_PIXELS`.
    """
    try:
        with Image.open(io.BytesIO(data), formats=images.FORMATS) as image:
            width, height = image.size
    except Exception:  # what it is instead, decoding says
        return
    if width * height > MAX_PIXELS:
        raise BadInput(
            f"This picture has {width} x {height} pixels, {width * height / 1e6:.0f} million; expected at most"
            f" {MAX_PIXELS / 1e6:.0f} million. Make it smaller first."
        )


def boxed(image: np.ndarray, faces: Sequence[Face], names: Sequence[str]) -> np.ndarray:
    """Draw a box and a name at each face.

    Args:
        image: uint8 [h, w, 3].
        faces: n of them.
        names: n texts; an empty one draws a gray box.

    Returns:
        uint8 [h, w, 3].
    """
    from PIL import ImageDraw

    page = Image.fromarray(image)
    pen = ImageDraw.Draw(page)
    unit = max(1, round(max(image.shape[:2]) / 320))
    font = style.font(max(14, 9 * unit), bold=True)
    for face, name in zip(faces, names):
        x, y, w, h = face.box
        colour = style.BLUE if name else style.MUTED
        pen.rectangle((x, y, x + w, y + h), outline=colour, width=unit)
        label = name or "uncertain"
        left, top, right, bottom = pen.textbbox((0, 0), label, font)
        tall = bottom - top + 3 * unit
        at = y - tall if y > tall else y + h
        pen.rectangle((x, at, x + right - left + 4 * unit, at + tall), fill=colour)
        pen.text((x + 2 * unit, at + 1.5 * unit - top), label, style.PAPER, font)
    return np.asarray(page)
