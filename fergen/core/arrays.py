"""The image contract: NHWC, uint8, or float32 in [-1, 1]."""

from typing import Any

import numpy as np


def to_float(images: Any) -> Any:
    """Map uint8 [0, 255] to float32 [-1, 1]; float images pass unchanged. Works on numpy and jax arrays."""
    if images.dtype == np.uint8:
        return images.astype(np.float32) / np.float32(127.5) - np.float32(1)
    return images


def to_uint8(images: Any) -> Any:
    """Map float [-1, 1] to uint8 [0, 255], rounding and clipping; uint8 images pass unchanged."""
    if images.dtype == np.uint8:
        return images
    return ((images + 1) * 127.5).round().clip(0, 255).astype(np.uint8)
