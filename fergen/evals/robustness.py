"""How a classifier's accuracy falls when its faces are cropped otherwise than in training, and after real detection.

The crop is moved, widened, narrowed, turned or framed in black; and faces are set into larger pictures, found by a
detector, aligned and classified. Labels stay what they are: what falls is the classifier's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from fergen.core.clock import Progress
from fergen.core.errors import BadInput
from fergen.data import align
from fergen.data.dataset import Split
from fergen.data.detect import Detector, Face, largest
from fergen.evals import classification, predictions, scenes
from fergen.metrics.proportion import wilson

# Pixels are those of FER2013's faces of 48; other sizes are treated in proportion.
SIDE = 48
CURVES: dict[str, tuple[float, ...]] = {
    "shift": (0, 1, 2, 3, 4, 5, 6, 7, 8),
    "scale": (0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4),
    "rotation": (0, 5, 10, 15, 20, 30, 45),
    "border": (0, 2, 4, 6, 8, 10),
}
AXES = {
    "shift": "shift, px of 48, any direction",
    "scale": "size of the face in the crop",
    "rotation": "rotation, degrees to either side",
    "border": "black border, px each side of 48",
    "placed": "side of the face in a picture, px",
    "turned": "rotation of a face of 96 px in a picture, degrees",
}
PLACED, TURNED, TURNED_SIDE = (32, 48, 96, 192), (15, 30), 96
# x, accuracy, its interval's ends, share of faces found
Point = tuple[float, float, float, float, float]


@dataclass(frozen=True)
class Robustness:
    """What was measured.

    Attributes:
        n: images of each condition.
        curves: curve -> series -> [(x, accuracy, low, high, found)], shares; `found` is the share of faces found, 1
            where nothing was looked for; a face not found counts as a mistake.
    """

    n: int
    curves: dict[str, dict[str, list[Point]]]

    def scores(self) -> dict[str, float | None]:
        """Return flat names -> figures: `shift/crop/4`, with `.low`, `.high` and `.found` beside."""
        flat: dict[str, float | None] = {"n": self.n}
        for curve, series in self.curves.items():
            for name, points in series.items():
                for x, accuracy, low, high, found in points:
                    key = f"{curve}/{name}/{x:g}"
                    flat |= {key: accuracy, f"{key}.low": low, f"{key}.high": high, f"{key}.found": found}
        return flat


def evaluate(
    member: Any,
    split: Split,
    detectors: Mapping[str, Detector],
    *,
    batch: int = 256,
    seed: int = 0,
    quiet: bool = True,
) -> Robustness:
    """Measure a classifier's accuracy over crops that are off, and after detection.

    Args:
        member: restored weights of a classifier: `.predict["logits"]`, `.variables`, `.spec`.
        split: its faces, cropped as in training.
        detectors: name -> detector, for the faces set into pictures; each is measured with `align.crop`, and one that
            finds points with its boxes alone beside.
        batch: images per compiled call.
        seed: of directions, places and backgrounds.
        quiet: show no progress.

    Returns:
        A Robustness, with 95 % score intervals.

    Raises:
        BadInput: the classifier lacks one of the set's classes, or the split has no rows.
    """
    columns, classes = tuple(member.spec["classes"]), split.spec.classes
    if not len(split.labels):
        raise BadInput(f"the split '{split.name}' of '{split.spec.name}' has no rows")
    classification.align(np.zeros((0, len(columns))), columns, classes)  # fails before hours of work

    def point(x: float, images: np.ndarray, found: np.ndarray | None = None) -> Point:
        logits = predictions.logits(member.predict["logits"], member.variables, images, batch)
        right = classification.align(logits, columns, classes).argmax(1) == split.labels
        right = right if found is None else right & found
        low, high = wilson(int(right.sum()), len(right))
        return x, float(right.mean()), low, high, 1.0 if found is None else float(found.mean())

    done: dict[str, dict[str, list]] = {}
    steps = sum(map(len, CURVES.values())) + (len(PLACED) + len(TURNED) if detectors else 0)
    with Progress(steps * len(split.labels), label="robustness:", quiet=quiet) as progress:
        for curve, values in CURVES.items():
            done[curve] = {"crop": []}
            for x in values:
                done[curve]["crop"].append(point(x, perturbed(split.images, curve, x, seed=seed)))
                progress.update(len(split.labels))
        plans = {"placed": [(side, side, 0.0) for side in PLACED]}
        plans["turned"] = [(angle, TURNED_SIDE, float(angle)) for angle in TURNED]
        for curve, plan in plans.items() if detectors else ():
            if curve == "turned":  # which begins where an upright face of its side has been measured
                upright = PLACED.index(TURNED_SIDE)
                done[curve] = {name: [(0.0, *points[upright][1:])] for name, points in done["placed"].items()}
            for x, side, angle in plan:
                views = detected(split.images, detectors, side=side, angle=angle, seed=seed, advance=progress.update)
                for series, (images, found) in views.items():
                    done.setdefault(curve, {}).setdefault(series, []).append(point(x, images, found))
    return Robustness(len(split.labels), done)


def perturbed(images: np.ndarray, curve: str, x: float, *, seed: int = 0) -> np.ndarray:
    """Crop faces otherwise.

    Args:
        images: uint8 [n, h, w, c].
        curve: shift (by x pixels of 48, each image in a direction of its own), scale (the face appears x times as
            large), rotation (by x degrees, each image to a side of its own): what lies off the image repeats its edge;
            border (a black one of x pixels of 48 around, and all shrunk to the image's size).
        x: how much.
        seed: of the directions; image i has the same at every x.

    Returns:
        uint8 of the images' shape.
    """
    size = images.shape[1:3]
    out = np.empty_like(images)
    rng = np.random.default_rng(seed)
    directions = rng.uniform(0, 2 * np.pi, len(images))
    for i, (image, direction) in enumerate(zip(images, directions)):
        if curve == "border":
            rows, cols = (round(side * x / SIDE) for side in size)
            framed = cv2.copyMakeBorder(np.ascontiguousarray(image), rows, rows, cols, cols, cv2.BORDER_CONSTANT)
            framed = framed.reshape(*framed.shape[:2], -1)
            whole = np.array([[framed.shape[1], 0, 0], [0, framed.shape[0], 0]], float)
            out[i] = align.warp(framed, whole, size=size)
            continue
        turn = np.deg2rad(x) * (1 if direction < np.pi else -1) if curve == "rotation" else 0.0
        zoom = 1 / x if curve == "scale" else 1.0
        move = x / SIDE * np.array([np.cos(direction), np.sin(direction)]) if curve == "shift" else np.zeros(2)
        axes = zoom * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        where = np.column_stack([axes, 0.5 + move - axes @ (0.5, 0.5)])
        out[i] = align.warp(image, where * np.array([[size[1]], [size[0]]]), size=size)
    return out


def detected(
    images: np.ndarray,
    detectors: Mapping[str, Detector],
    *,
    side: int,
    angle: float = 0.0,
    seed: int = 0,
    advance: Callable[[int], None] | None = None,
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Set faces into pictures, find them and cut them out.

    Args:
        images: uint8 [n, h, w, c].
        detectors: name -> detector; of several faces that one finds the largest is taken.
        side: of the face in the picture, in pixels.
        angle: by which it is turned, in degrees.
        seed: of places and backgrounds.
        advance: called with the number of images done since the last call.

    Returns:
        A detector's name -> its crops uint8 of the images' shape, black where nothing was found, and whether a face
        was found where it is, bool [n]; for one that finds points, "NAME, boxes alone" -> the same by its boxes.
    """
    size, channels = images.shape[1:3], images.shape[3]
    views: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def put(series: str, i: int, scene: scenes.Scene, face: Face, there: bool) -> None:
        crops, found = views.setdefault(series, (np.zeros_like(images), np.zeros(len(images), bool)))
        crops[i], found[i] = align.crop(scene.image, face, size=size, channels=channels), there

    for name in detectors:
        views[name] = np.zeros_like(images), np.zeros(len(images), bool)
    for i, scene in enumerate(scenes.scenes(images, side=side, angle=angle, seed=seed)):
        for name, find in detectors.items():
            if not (faces := find(scene.image)):
                continue
            face = largest(faces)
            x, y, w, h = face.box
            away = np.abs(scene.frame @ (0.5, 0.5, 1) - (x + w / 2, y + h / 2)).max()
            put(name, i, scene, face, away < side / 2)
            if face.points is not None:
                put(f"{name}, boxes alone", i, scene, Face(face.box, face.score), away < side / 2)
        if advance:
            advance(1)
    return views


def table(measured: Robustness) -> str:
    """Lay the curves out as text: a block per curve, a row per series, accuracy in percent."""
    lines = []
    for curve, series in measured.curves.items():
        xs = [point[0] for point in next(iter(series.values()))]
        lines += ["", f"{AXES[curve]:<34}" + "".join(f"{x:>7g}" for x in xs)]
        for name, points in series.items():
            lines.append(f"  {name:<32}" + "".join(f"{100 * point[1]:>7.1f}" for point in points))
            if any(point[4] < 1 for point in points):
                lines.append(f"  {'  faces found':<32}" + "".join(f"{100 * point[4]:>7.1f}" for point in points))
    return "\n".join(lines[1:])
