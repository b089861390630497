"""Saliency on faces: a map laid over each image, and what the classifier answered."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fergen.show import sheets, style

SIDE = 144  # pixels of an image on the page
STRONGEST = 0.8  # opacity of the greatest value
BRIGHT = 99.5  # percentile of a map's values that counts as its greatest: a single pixel does not rule the rest


def overlay(image: np.ndarray, saliency: np.ndarray) -> np.ndarray:
    """Lay a map over an image, which becomes gray: rust where pixels speak for the class, blue where against it.

    Args:
      image: uint8 [h, w, c], c 1 or 3.
      saliency: float [h', w'], of any scale; enlarged smoothly.

    Returns:
      uint8 [h, w, 3].
    """
    from PIL import Image

    height, width = image.shape[:2]
    scale = np.percentile(np.abs(saliency), BRIGHT) or np.abs(saliency).max() or 1.0
    values = Image.fromarray((saliency / scale).clip(-1, 1).astype(np.float32))
    values = np.asarray(values.resize((width, height), Image.Resampling.BICUBIC)).clip(-1, 1)[..., None]
    gray = image.astype(np.float32) @ _LUMA if image.shape[-1] == 3 else image[..., 0].astype(np.float32)
    colour = np.where(values >= 0, _rgb(style.RUST), _rgb(style.BLUE))
    opacity = STRONGEST * np.abs(values)
    return (gray[..., None] * (1 - opacity) + colour * opacity).round().clip(0, 255).astype(np.uint8)


def draw(
    images: np.ndarray,
    maps: np.ndarray,
    path: str | Path,
    *,
    asked: Sequence[str],
    answers: Sequence[str],
    sources: Sequence[str],
    title: str | None = None,
) -> Path:
    """Write each image beside its map.

    Args:
      images: uint8 [n, h, w, c], c 1 or 3.
      maps: float [n, h', w'].
      path: the PNG file.
      asked: n names of the classes that the maps are about.
      answers: n texts, what the classifier sees.
      sources: n texts, such as file names.
      title: a line above all.

    Returns:
      The path.
    """
    colour = np.repeat(images, 3, axis=-1) if images.shape[-1] == 1 else images
    pairs = np.stack([colour, np.stack([overlay(image, of) for image, of in zip(images, maps)])], axis=1)
    captions = [
        text
        for source, answer, about in zip(sources, answers, asked)
        for text in (f"{answer}\n{source}", f"\nfor {about}")
    ]
    across = 2 * min(len(images), 3)
    return sheets.grid(
        pairs.reshape(-1, *pairs.shape[2:]), path, columns=across, captions=captions,
        scale=SIDE / max(images.shape[1:3]), title=title,
    )  # fmt: skip


_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as everywhere


def _rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], np.float32)
