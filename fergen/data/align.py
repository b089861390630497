"""A face found in a picture, as the crop that a classifier expects."""

import cv2
import numpy as np

from fergen.data.detect import Face


def crop(
    image: np.ndarray, face: Face, *, size: tuple[int, int] = (48, 48), channels: int = 1, margin: float = 0.0
) -> np.ndarray:
    """Cut a face out, as a square around its box.

    Args:
        image: uint8 [h, w, c], c 1 or 3 (RGB).
        face: where it is.
        size: (height, width) of the crop, in pixels.
        channels: 1 or 3 of the crop.
        margin: what is added on each side, as a share of the face's side.

    Returns:
        uint8 [height, width, channels]; what lies off the picture repeats its edge.
    """
    x, y, w, h = face.box
    side = max(w, h) * (1 + 2 * margin)
    left, top = x + w / 2 - side / 2, y + h / 2 - side / 2
    scale = np.array([size[1] / side, size[0] / side])
    matrix = np.array([[scale[0], 0, -left * scale[0]], [0, scale[1], -top * scale[1]]])
    shrunk = cv2.warpAffine(image, matrix, size[::-1], flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    shrunk = shrunk if shrunk.ndim == 3 else shrunk[..., None]
    if shrunk.shape[-1] == channels:
        return shrunk
    code = cv2.COLOR_RGB2GRAY if channels == 1 else cv2.COLOR_GRAY2RGB
    converted = cv2.cvtColor(shrunk, code)
    return converted if converted.ndim == 3 else converted[..., None]
