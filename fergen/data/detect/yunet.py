"""YuNet, from a file of the user's: `yunet:face_detection_yunet_2023mar.onnx`, as OpenCV's model zoo gives it away.

Reference: Wu, Peng and Yu, "YuNet: a tiny millisecond-level face detector", Machine Intelligence Research 20, 2023.
"""

from pathlib import Path

import cv2
import numpy as np

from fergen.core.errors import BadInput
from fergen.data.detect import Detector, Face, scaled, silent

LEAST, OVERLAP, MOST = 0.7, 0.3, 5000
"""Least score of a face, overlap up to which two boxes are two faces, and boxes looked at."""
SIDE = 16  # pixels of the smallest face that is found for sure: its training had faces down to 10


def build(argument: str, *, smallest: int) -> Detector:
    """Return the detector; scores are between 0 and 1.

    Args:
        argument: the .onnx file.
        smallest: pictures are shrunk as far as faces of this side can still be found in them.

    Raises:
        BadInput: no file, or one that OpenCV does not take for a YuNet.
    """
    if not argument:
        raise BadInput("detector 'yunet': expected yunet:FILE.onnx, with a YuNet file of yours; mtcnn needs no file")
    path = Path(argument).expanduser()
    if not path.is_file():
        raise BadInput(f"detector 'yunet:{argument}': no such file")
    try:
        with silent():
            net = cv2.FaceDetectorYN.create(str(path), "", (64, 64), LEAST, OVERLAP, MOST)
            net.detect(np.zeros((64, 64, 3), np.uint8))
    # OpenCV's error, or its binding's where the file holds another network.
    except (cv2.error, SystemError):
        raise BadInput(f"detector 'yunet:{argument}': expected YuNet's .onnx file, found something else") from None

    def find(image: np.ndarray) -> list[Face]:
        bgr = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR if image.shape[-1] == 1 else cv2.COLOR_RGB2BGR)
        shrink = max(1.0, smallest / SIDE)
        height, width = (max(1, round(side / shrink)) for side in image.shape[:2])
        net.setInputSize((width, height))
        _, rows = net.detect(cv2.resize(bgr, (width, height), interpolation=cv2.INTER_AREA))
        if rows is None:
            return []
        ratio = np.array([image.shape[1] / width, image.shape[0] / height])
        # Its points are named from the person's side: the right eye comes first, which is the picture's left.
        faces = [Face(tuple(row[:4].tolist()), float(row[14]), row[4:14].reshape(5, 2)) for row in rows]
        return sorted((scaled(face, ratio) for face in faces), key=lambda face: -face.score)

    return find
