"""Faces in a picture: a box for each, a score, and five points where the detector finds them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

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
DEFAULT = "haar"


def detector(name: str = DEFAULT) -> Detector:
    """Return a detector by name.

    Raises:
        BadInput: there is none of the name.
    """
    if name == "haar":
        return haar()
    raise BadInput(f"detector '{name}': expected haar")


def haar() -> Detector:
    """Return OpenCV's cascade of Haar features for frontal faces (Viola and Jones 2001)."""
    cascade = cv2.CascadeClassifier(str(Path(cv2.__file__).parent / "data" / "haarcascade_frontalface_default.xml"))

    def find(image: np.ndarray) -> list[Face]:
        gray = image[..., 0] if image.shape[-1] == 1 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        boxes, _, weights = cascade.detectMultiScale3(gray, 1.1, 5, minSize=(24, 24), outputRejectLevels=True)
        faces = [
            Face((float(x), float(y), float(w), float(h)), float(weight))
            for (x, y, w, h), weight in zip(boxes, np.ravel(weights))
        ]
        return sorted(faces, key=lambda face: -face.score)

    return find
