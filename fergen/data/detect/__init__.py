"""Faces in a picture: a box for each, a score, and five points where the detector finds them.

A detector is a module here, chosen by its name, with one function

    def build(argument: str, *, smallest: int) -> Detector

whose `argument` is what follows the colon of a name such as `yunet:FILE.onnx`; empty without one.
"""

import contextlib
import importlib
import pkgutil
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from fergen.core.errors import BadInput


@dataclass(frozen=True)
class Face:
    """One face found.

    Attributes:
        box: x, y, width, height in pixels of the picture; may stick out over its edge.
        score: how sure the detector is; higher is surer, in the detector's own units.
        points: float32 [5, 2] (x, y): the eye on the picture's left, the one on its right, tip of the nose, the mouth's
            corners on the left and right; None from a detector that finds boxes alone.
    """

    box: tuple[float, float, float, float]
    score: float
    points: np.ndarray | None = None


# A picture uint8 [h, w, c], c 1 or 3 (RGB) -> its faces, the surest first.
Detector = Callable[[np.ndarray], list[Face]]
# By measurement, see `fergen.data.detect.mtcnn`.
DEFAULT = "mtcnn"
SMALLEST = 24
# Pixels of the longer side in which the faces of a photograph are looked for, see `within`.
SIDE = 1280


def detector(name: str = DEFAULT, *, smallest: int = SMALLEST) -> Detector:
    """Return a detector by name; it is for one thread at a time.

    Args:
        name: a module here: mtcnn, haar, or yunet:FILE.onnx with a file of the user's.
        smallest: side in pixels of the smallest face to look for; looking for larger ones alone is faster.

    Raises:
        BadInput: there is none of the name, or its weights are missing or damaged.
    """
    kind, _, argument = name.partition(":")
    there = sorted(module.name for module in pkgutil.iter_modules(__path__))
    if kind not in there:
        raise BadInput(f"detector '{name}': expected one of {', '.join(there)} (yunet as yunet:FILE.onnx)")
    if smallest < 1:
        raise BadInput(f"detector '{name}': expected a smallest face of at least 1 pixel, found {smallest}")
    return importlib.import_module(f"{__name__}.{kind}").build(argument, smallest=smallest)


def largest(faces: Sequence[Face]) -> Face:
    """Return the face with the largest box: of several in a portrait the one it was taken of."""
    return max(faces, key=lambda face: face.box[2] * face.box[3])


def within(find: Detector, side: int = SIDE) -> Detector:
    """Let a detector look at pictures shrunk to at most so many pixels a side; its faces are in the whole's pixels.

    A camera's picture has millions of pixels, and a face that is worth classifying fills more than a few of them:
    looked at whole it would take seconds.

    Args:
        find: a detector.
        side: pixels of the longer side, at most.
    """

    def shrunk(image: np.ndarray) -> list[Face]:
        if max(image.shape[:2]) <= side:
            return find(image)
        height, width = (max(1, round(s * side / max(image.shape[:2]))) for s in image.shape[:2])
        small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA).reshape(height, width, -1)
        ratio = np.array([image.shape[1] / width, image.shape[0] / height])
        return [scaled(face, ratio) for face in find(small)]

    return shrunk


def scaled(face: Face, ratio: float | np.ndarray) -> Face:
    """Return a face in a picture that is `ratio` times as large, or (x, y) times."""
    x, y, w, h = (np.array(face.box) * np.tile(np.broadcast_to(ratio, 2), 2)).tolist()
    points = None if face.points is None else (face.points * ratio).astype(np.float32)
    return Face((x, y, w, h), face.score, points)


@contextlib.contextmanager
def silent() -> Generator[None]:
    """Keep OpenCV from printing lines of its own beside the one line of an error."""
    before = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(before)
