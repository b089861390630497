"""Faces as text: the 48x48 gray values of a row of FER2013's table."""

import numpy as np

from fergen.core.errors import BadInput

SIDE = 48


def parse_pixels(text: str, where: str) -> np.ndarray:
    """Parse one row's pixels: 2304 whole numbers from 0 to 255, separated by blanks.

    Args:
        text: the field.
        where: file and row, for messages.

    Returns:
        uint8 [2304].

    Raises:
        BadInput: a wrong number of pixels, or a pixel that is no whole number from 0 to 255.
    """
    if not text.isascii() or not text.encode().translate(None, b" \t\r\n").isdigit():
        tokens = text.split()
        bad = next((t for t in tokens if not (t.isascii() and t.isdigit())), "")
        found = f"{bad[:20]!r}" if tokens else "no pixels"
        raise BadInput(f"{where}: expected pixels as whole numbers from 0 to 255, found {found}")
    # Digits and blanks only: the text form of fromstring can no longer fail, and is the fastest parser at hand.
    pixels = np.fromstring(text, np.int64, sep=" ")
    if len(pixels) != SIDE * SIDE:
        raise BadInput(f"{where}: expected {SIDE * SIDE} pixels (48x48), found {len(pixels)}")
    if pixels.max() > 255:
        raise BadInput(f"{where}: expected pixels from 0 to 255, found {pixels[pixels > 255][0]}")
    return pixels.astype(np.uint8)
