"""A face found in a picture, as the crop that a classifier expects: eyes, nose and mouth where they lie in training.

The canonical crop is FER2013's. Where its training faces have their five points (`TEMPLATE`) was measured by

    from fergen.data import align, dataset
    from fergen.data.detect import detector
    align.mean_points(dataset.load("fer2013", "train").images[::6], detector(smallest=96))

which found 3,799 of 4,306 faces; single faces lie around these means with standard deviations of .07 to .10 of the
side. Boxes that Haar's cascade finds of the same faces are the crop itself, on average to within .03 of its side.
"""

from collections.abc import Iterable

import cv2
import numpy as np

from fergen.core.clock import Progress
from fergen.core.errors import BadInput
from fergen.data.detect import Detector, Face
from fergen.data.images import converted

# (x, y) as shares of the crop's side: the eye on the left, the one on the right, tip of the nose, mouth's corners.
TEMPLATE = np.array([[0.318, 0.376], [0.682, 0.376], [0.500, 0.593], [0.347, 0.781], [0.653, 0.781]])
ENLARGED, AROUND = 4, 0.25
"""How much faces are enlarged before a detector looks at them, and what is added on each side, as a share of it."""


def crop(
    image: np.ndarray, face: Face, *, size: tuple[int, int] = (48, 48), channels: int = 1, margin: float = 0.0
) -> np.ndarray:
    """Cut a face out: turned and scaled so that its points come to lie as in training, or the square around its box.

    Args:
        image: uint8 [h, w, c], c 1 or 3 (RGB).
        face: where it is; without points, or with points that coincide, its box decides.
        size: (height, width) of the crop, in pixels.
        channels: 1 or 3 of the crop.
        margin: what is added on each side, as a share of the crop's side; negative cuts off.

    Returns:
        uint8 [height, width, channels], antialiased; what lies off the picture repeats its edge.
    """
    return warp(image, frame(face, margin=margin), size=size, channels=channels)


def frame(face: Face, *, margin: float = 0.0) -> np.ndarray:
    """Return where a face's crop lies in its picture.

    Args:
        face: a face found.
        margin: what is added on each side, as a share of the side.

    Returns:
        float [2, 3]: maps (x, y, 1) of the crop, x and y from 0 to 1, to the picture's pixels; (0, 0) is the corner of
        either, not the centre of a pixel.
    """
    found = None if face.points is None else similarity(TEMPLATE, face.points)
    if found is None:
        x, y, w, h = face.box
        side = max(w, h)
        found = np.array([[side, 0, x + w / 2 - side / 2], [0, side, y + h / 2 - side / 2]], float)
    grow = np.array([[1 + 2 * margin, 0, -margin], [0, 1 + 2 * margin, -margin], [0, 0, 1]])
    return found @ grow


def similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray | None:
    """Fit rotation, scale and shift that bring points onto others, by least squares.

    Umeyama (1991), "Least-squares estimation of transformation parameters between two point patterns", IEEE TPAMI 13.
    In the plane, with points as complex numbers z and w about their means, its equations (41) to (43) become one factor
    a = sum(conj(z) w) / sum |z|^2, which turns by its angle and scales by its length, and never mirrors.

    Args:
        source: float [n, 2], n at least 2.
        target: float [n, 2].

    Returns:
        float [2, 3]: maps (x, y, 1) of the source to the target; None where either's points coincide or are not finite.
    """
    z, w = (np.asarray(points, float) @ np.array([1, 1j]) for points in (source, target))
    centred, spread = z - z.mean(), np.sum(np.abs(z - z.mean()) ** 2)
    factor = np.sum(centred.conj() * (w - w.mean())) / spread if spread else 0
    if not np.isfinite(factor) or abs(factor) < 1e-9:
        return None
    shift = w.mean() - factor * z.mean()
    return np.array([[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]])


def warp(image: np.ndarray, where: np.ndarray, *, size: tuple[int, int], channels: int | None = None) -> np.ndarray:
    """Sample a parallelogram of a picture.

    OpenCV's warping looks at a few pixels around each point, so that a shrunken picture would be full of aliases. What
    is needed is therefore first brought to the output's resolution, as prepared images are, and then turned.

    Args:
        image: uint8 [h, w, c], c 1 or 3 (RGB).
        where: float [2, 3], as `frame` returns it.
        size: (height, width) of the output, in pixels.
        channels: 1 or 3 of the output; None keeps the picture's.

    Returns:
        uint8 [height, width, channels].
    """
    height, width = size
    # Output pixel (column, row, 1) to picture, with pixels' centres at halves in both.
    to_picture = where @ np.array([[1 / width, 0, 0.5 / width], [0, 1 / height, 0.5 / height], [0, 0, 1]])
    shrink = max(1.0, float(np.linalg.norm(to_picture[:, :2], axis=0).min()))
    corners = to_picture @ np.array([[-1, width, -1, width], [-1, -1, height, height], [1, 1, 1, 1]])
    edge = 2 * shrink + 1  # what the interpolation looks at beyond the crop
    (left, top), (right, bottom) = corners.min(1) - edge, corners.max(1) + edge
    left, right = _range(left, right, image.shape[1])
    top, bottom = _range(top, bottom, image.shape[0])
    part = _coloured(image[top:bottom, left:right], channels or image.shape[-1])
    if shrink > 1:
        shape = max(1, round((bottom - top) / shrink)), max(1, round((right - left) / shrink))
        part = converted(part, size=shape, channels=part.shape[2])
    ratio = np.array([part.shape[1] / (right - left), part.shape[0] / (bottom - top)])
    to_part = (to_picture - np.array([[0, 0, left], [0, 0, top]])) * ratio[:, None]
    to_part[:, 2] -= 0.5
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    out = cv2.warpAffine(part, to_part, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return out if out.ndim == 3 else out[..., None]


def _range(low: float, high: float, end: int) -> tuple[int, int]:
    """Clip a range to [0, end), leaving at least one pixel."""
    start = int(np.clip(np.floor(low), 0, end - 1))
    return start, int(np.clip(np.ceil(high), start + 1, end))


def _coloured(image: np.ndarray, channels: int) -> np.ndarray:
    if image.shape[-1] == channels:
        return np.ascontiguousarray(image)
    changed = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY if channels == 1 else cv2.COLOR_GRAY2RGB)
    return changed.reshape(*image.shape[:2], channels)


def mean_points(
    images: Iterable[np.ndarray], find: Detector, *, quiet: bool = False
) -> tuple[np.ndarray, np.ndarray, int]:
    """Measure where a set's faces have their points, and so the framing that a classifier of the set knows.

    Args:
        images: n faces uint8 [h, w, c], cropped as they are classified.
        find: a detector that finds points.
        quiet: show no progress.

    Returns:
        mean float [5, 2] over the faces found and their mirror images, standard deviation [5, 2] over the faces, both
        as shares of the side; how many were found.

    Raises:
        BadInput: no face was found.
    """
    points = []
    with Progress(None, label="finding faces:", quiet=quiet) as progress:
        for image in images:
            sides = np.array([image.shape[1], image.shape[0]])
            width, height = np.rint(sides * ENLARGED * (1 + 2 * AROUND)).astype(int)
            wide = np.array([[1 + 2 * AROUND, 0, -AROUND], [0, 1 + 2 * AROUND, -AROUND]])
            faces = find(warp(image, sides[:, None] * wide, size=(height, width)))
            if faces and (found := faces[0].points) is not None:
                points.append(found / (sides * ENLARGED) - AROUND)
            progress.update()
    if not points:
        raise BadInput("expected faces whose points the detector finds, found none")
    mean = np.mean(points, axis=0)
    mirrored = mean[[1, 0, 2, 4, 3]] * (-1, 1) + (1, 0)
    return (mean + mirrored) / 2, np.std(points, axis=0), len(points)
