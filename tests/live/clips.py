"""Moving pictures made of the astronaut's photograph, a camera made of a list, a classifier made of a mean."""

import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
from skimage import data

from fergen.data.detect import Face
from fergen.live.classifier import Classifier

HEIGHT, WIDTH = 480, 640
HEAD = (172, 60, 104, 130)  # the astronaut's face in the photograph: x, y, width, height


def moved(i: int) -> np.ndarray:
    """Where the photograph is in frame i, 30 a second: drifting and zooming, [2, 3]."""
    t = i / 30
    scale = 1 + 0.2 * np.sin(1.9 * t)
    return np.array([[scale, 0, 60 + 60 * np.sin(1.3 * t)], [0, scale, 10 + 25 * np.cos(1.1 * t) - 25]], np.float32)


def shifted(i: int, x: float = 3.0, y: float = 1.0) -> np.ndarray:
    """Where the photograph is if it moves by (x, y) pixels a frame, [2, 3]."""
    return np.array([[1, 0, 40 + x * i], [0, 1, y * i]], np.float32)


def head(matrix: np.ndarray) -> Face:
    """Where the face is in a frame whose photograph is moved by a matrix."""
    x, y, w, h = HEAD
    left, top = matrix @ (x, y, 1)
    return Face((float(left), float(top), w * float(matrix[0, 0]), h * float(matrix[0, 0])), 1.0)


def picture(matrix: np.ndarray, size: tuple[int, int] = (HEIGHT, WIDTH)) -> np.ndarray:
    """The photograph moved by a matrix, uint8 [h, w, 3] RGB."""
    return cv2.warpAffine(data.astronaut(), matrix, size[::-1], borderMode=cv2.BORDER_REFLECT)


def write(path: Path, images: Iterable[np.ndarray], codec: str = "mp4v", fps: float = 30.0) -> str:
    """Write a video; returns its path."""
    writer = None
    for image in images:
        if writer is None:
            code = cv2.VideoWriter.fourcc(*codec)
            writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, code, fps, image.shape[1::-1])
        writer.write(image[..., ::-1])
    assert writer is not None
    writer.release()
    return str(path)


def read(path: str | Path) -> list[np.ndarray]:
    """All frames of a video, uint8 [h, w, 3] RGB."""
    capture, frames = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG), []
    while (got := capture.read())[0]:
        frames.append(got[1][..., ::-1])
    return frames


class Camera:
    """A capture that gives what a list says: images, None for a read that fails, or seconds to hang.

    Args:
        reads: one after another; after the last, reads fail.
        every: seconds between reads.
    """

    def __init__(self, reads: Sequence[np.ndarray | float | None], every: float = 0.01):
        self.reads, self.every, self.released = list(reads), every, False

    def read(self) -> tuple[bool, np.ndarray | None]:
        assert not self.released, "read after release"
        time.sleep(self.every)
        got = self.reads.pop(0) if self.reads else None
        if isinstance(got, float):
            time.sleep(got)
            return self.read()
        return got is not None, got

    def get(self, which: int) -> float:
        return 30.0 if which == cv2.CAP_PROP_FPS else -1.0

    def release(self) -> None:
        self.released = True


def brightness() -> Classifier:
    """A classifier of 8x8 gray pictures into dark and bright, by their mean."""

    def probabilities(images: np.ndarray) -> np.ndarray:
        bright = images.mean((1, 2, 3), dtype=np.float32) / 255
        return np.stack([1 - bright, bright], axis=1)

    return Classifier("brightness", ("dark", "bright"), (8, 8), 1, {}, probabilities)
