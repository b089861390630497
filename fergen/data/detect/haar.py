"""OpenCV's cascade of Haar features for frontal faces: boxes alone, no points; the five-class study's detector.

Reference: Viola and Jones, "Rapid object detection using a boosted cascade of simple features", CVPR 2001.
"""

from pathlib import Path

import cv2
import numpy as np

from fergen.core.errors import BadInput
from fergen.data.detect import Detector, Face

FILE = "haarcascade_frontalface_default.xml"
STEP, NEIGHBOURS = 1.1, 5
"""Ratio of the window's sizes, and how many windows must agree on a face."""


def build(argument: str = "", *, smallest: int) -> Detector:
    """Return the detector; scores are the last stage's sums.

    Raises:
        BadInput: an argument, or an OpenCV without the cascade.
    """
    if argument:
        raise BadInput(f"detector 'haar:{argument}': expected haar, which takes no file")
    path = Path(cv2.__file__).parent / "data" / FILE
    if not path.is_file():
        raise BadInput(
            f"detector 'haar': expected {FILE} in OpenCV {cv2.__version__}, found none; install opencv-python-headless"
            " below 5, or take the detector mtcnn"
        )
    cascade = cv2.CascadeClassifier(str(path))

    def find(image: np.ndarray) -> list[Face]:
        gray = image[..., 0] if image.shape[-1] == 1 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        boxes, _, weights = cascade.detectMultiScale3(
            gray, STEP, NEIGHBOURS, minSize=(smallest, smallest), outputRejectLevels=True
        )
        faces = [
            Face((float(x), float(y), float(w), float(h)), float(weight))
            for (x, y, w, h), weight in zip(boxes, np.ravel(weights))
        ]
        return sorted(faces, key=lambda face: -face.score)

    return find
