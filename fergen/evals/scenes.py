"""Faces set into larger pictures whose place is known, to measure detectors and what comes after them.

Backgrounds are parts of scikit-learn's two photographs, a temple and a flower, without a face in them.
"""

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np

from fergen.data.align import warp

HEIGHT, WIDTH = 240, 320


class Scene(NamedTuple):
    """A picture with one face in it.

    Attributes:
        image: uint8 [240, 320, c].
        frame: float [2, 3], where the face's crop lies, as `fergen.data.align.frame` says it.
    """

    image: np.ndarray
    frame: np.ndarray


@cache
def backgrounds() -> tuple[np.ndarray, ...]:
    """Return photographs without faces, uint8 [427, 640, 3] each."""
    from sklearn.datasets import load_sample_images

    return tuple(load_sample_images().images)


def scenes(images: np.ndarray, *, side: int, angle: float = 0.0, seed: int = 0) -> Iterator[Scene]:
    """Set each face into a background of its own, at a random place, turned to the left or the right.

    Args:
        images: faces uint8 [n, h, w, c], cropped as they are classified.
        side: of the face's crop in the picture, in pixels; at most 240 over cos + sin of the angle.
        angle: in degrees.
        seed: of places, sides and backgrounds; face i gets the same whatever the others are.

    Yields:
        A Scene per face, in order.
    """
    for i, image in enumerate(images):
        rng = np.random.default_rng((seed, i))
        turn = np.deg2rad(angle) * rng.choice((-1, 1))
        half = side / 2 * (abs(np.cos(turn)) + abs(np.sin(turn)))
        centre = rng.uniform((half, half), (max(half, WIDTH - half), max(half, HEIGHT - half)))
        axes = side * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        frame = np.column_stack([axes, centre - axes @ (0.5, 0.5)])
        photograph = backgrounds()[rng.integers(len(backgrounds()))]
        top, left = (rng.integers(s - part + 1) for s, part in zip(photograph.shape, (HEIGHT, WIDTH)))
        under = photograph[top : top + HEIGHT, left : left + WIDTH]
        if image.shape[-1] == 1:
            under = cv2.cvtColor(under, cv2.COLOR_RGB2GRAY)[..., None]
        yield Scene(_pasted(under, image, frame), frame)


def _pasted(under: np.ndarray, image: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """Lay a face over a picture where its frame says, with a soft edge a pixel wide."""
    whole = np.vstack([frame, [0, 0, 1]])
    # Where the whole picture lies in the face's own square: `warp` then samples the face once per picture's pixel.
    back = np.linalg.inv(whole)[:2] @ np.diag([WIDTH, HEIGHT, 1])
    scale = np.array([image.shape[1], image.shape[0]])[:, None]
    face = warp(image, back * scale, size=(HEIGHT, WIDTH)).astype(np.float32)
    mask = np.pad(np.full(image.shape[:2], 255, np.uint8), 8)[..., None]
    cover = warp(mask, back * scale + np.array([[0, 0, 8], [0, 0, 8]]), size=(HEIGHT, WIDTH)) / np.float32(255)
    return np.rint(under + cover * (face - under)).clip(0, 255).astype(np.uint8)
