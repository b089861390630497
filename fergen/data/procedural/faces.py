"""Draw procedural faces: from (seed, index) to images with their emotion and true action units."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32, Int32, UInt8

from fergen.core.errors import BadInput
from fergen.data.procedural import action_units, eyes, head, light, mouth, skin
from fergen.data.procedural import parameters as draw_parameters
from fergen.data.procedural.canvas import View
from fergen.data.procedural.geometry import Shape, shape
from fergen.data.procedural.parameters import NOISE, Difficulty, Identity, Photo, Pose, generators
from fergen.data.vocabulary import VOCABULARIES

SMALLEST, LARGEST = 32, 256
LUMINANCE = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
FINEST = 48  # smaller images are drawn at this size and averaged: lids and lips need it
MOST_THREADS = 8  # short array operations hand the interpreter's lock around: more threads only wait
PIXELS_AT_ONCE = 100_000  # per thread: what keeps a plane of floats in the processor's cache


@dataclass(frozen=True)
class Faces:
    """Drawn faces.

    Attributes:
        images: uint8 [n, size, size, channels].
        labels: int32 [n], indices into the vocabulary's classes.
        action_units: float32 [n, len(units)] in [0, 1], strength on the stronger side of the face.
        units: names of the action units, in the order of the columns.
    """

    images: UInt8[np.ndarray, "n size size c"]
    labels: Int32[np.ndarray, "n"]
    action_units: Float32[np.ndarray, "n units"]
    units: tuple[str, ...]


@dataclass(frozen=True)
class Recipe:
    """Everything drawn about n faces before a pixel is: edit it to change one thing and keep the rest."""

    seed: int
    indices: np.ndarray
    labels: np.ndarray
    units: np.ndarray
    sides: np.ndarray
    identity: Identity
    pose: Pose
    photo: Photo


def draw(
    indices: np.ndarray,
    *,
    seed: int = 0,
    size: int = 48,
    channels: int = 1,
    vocabulary: str = "seven",
    difficulty: Difficulty = Difficulty(),
) -> Faces:
    """Draw faces by number; face i of a seed is the same whatever else is asked for with it.

    Args:
        indices: int64 [n], face numbers, >= 0.
        seed: data set seed, >= 0.
        size: side of the images in pixels, 32 to 256.
        channels: 1 for gray, 3 for RGB.
        vocabulary: "five", "seven" or "eight": the classes, balanced in expectation.
        difficulty: how much pose, light, strength and stray units vary.

    Returns:
        Faces, n of them.

    Raises:
        BadInput: size, channels, seed, vocabulary or an index out of range.
    """
    indices = np.asarray(indices, dtype=np.int64)
    check(size=size, channels=channels, seed=seed, vocabulary=vocabulary)
    if indices.ndim != 1 or (indices < 0).any():
        raise BadInput("procedural faces: indices must be a row of face numbers, 0 or more")
    plan = recipe(indices, seed=seed, vocabulary=vocabulary, difficulty=difficulty)
    images = render(plan, size=size, channels=channels)
    return Faces(images, plan.labels, plan.units, action_units.UNITS)


def recipe(indices: np.ndarray, *, seed: int, vocabulary: str, difficulty: Difficulty) -> Recipe:
    """Draw the labels, action units, identity, pose and photo of faces, without their pixels."""
    classes = VOCABULARIES[vocabulary]
    streams = draw_parameters.streams(seed, indices)
    expression = streams["expression"]
    labels = np.floor(expression.uniform(0, len(classes))).astype(np.int32)
    units, sides = action_units.intensities(
        labels, classes, expression, weakest=difficulty.weakest, accidental=difficulty.accidental
    )
    return Recipe(
        seed=seed,
        indices=indices,
        labels=labels,
        units=units,
        sides=sides,
        identity=draw_parameters.identity(streams["identity"]),
        pose=draw_parameters.pose(streams["pose"], difficulty),
        photo=draw_parameters.photo(streams["photo"], difficulty),
    )


def render(plan: Recipe, *, size: int, channels: int) -> np.ndarray:
    """Draw the pixels of a recipe by cache-sized groups on a few threads; uint8 [n, size, size, channels]."""
    n = len(plan.labels)
    images = np.empty((n, size, size, channels), np.uint8)
    side = _drawing_side(size)
    step = max(1, PIXELS_AT_ONCE // (side * side))

    def group(start: int) -> None:
        part = slice(start, min(start + step, n))
        images[part] = _render_group(plan, part, size, side, channels)

    starts = range(0, n, step)
    if len(starts) == 1:
        group(0)
    else:
        with ThreadPoolExecutor(min(len(starts), os.cpu_count() or 1, MOST_THREADS)) as pool:
            list(pool.map(group, starts))
    return images


def _render_group(plan: Recipe, part: slice, size: int, side: int, channels: int) -> np.ndarray:
    """Draw one group of faces on a side x side grid and photograph it at size x size."""
    who = _coloured(_rows(plan.identity, part), channels)
    how: Shape = shape(_rows(plan.identity, part), plan.units[part], plan.sides[part]).over_images()
    pose = _rows(plan.pose, part).over_images()
    photo = _coloured(_rows(plan.photo, part), channels)
    view = View.of(pose, side)
    surface = head.start(view, photo)
    head.body(view, surface, who)
    face, distance = head.skin(view, surface, who, how)
    head.beard(view, surface, who, how, face)
    skin.forehead(view, surface, who, how)
    skin.cheeks(view, surface, who, how)
    mouth.mouth(view, surface, who, how)
    skin.nose(view, surface, who, how)
    eyes.eyes(view, surface, who, how, photo)
    head.hair(view, surface, who, face, distance)
    images = light.shrink(light.light(view, surface, photo), size)
    return light.develop(images, photo, _noise(plan.seed, plan.indices[part], size))


def _noise(seed: int, indices: np.ndarray, size: int) -> np.ndarray:
    """Draw each face's sensor noise from its own numbers; float32 [n, size, size]."""
    noise = np.empty((len(indices), size, size), np.float32)
    for grain, generator in zip(noise, generators(seed, indices, NOISE), strict=True):
        generator.standard_normal(dtype=np.float32, out=grain)
    return noise


def _drawing_side(size: int) -> int:
    """Return the side of the grid to draw on: finer than a small image."""
    return max(size, FINEST)


def _rows(record, part: slice):
    """Return the same parameter record for a slice of its faces."""
    return replace(record, **{name: getattr(record, name)[part] for name in record.__dataclass_fields__})


COLOURS = ("skin", "lips", "hair", "eyes", "frame", "clothes", "backdrop")


def _coloured(record, channels: int):
    """Shape a record over images, its RGB fields reduced to luminance for gray images."""
    if channels == 1:
        gray = {c: getattr(record, c) @ LUMINANCE[:, None] for c in COLOURS if hasattr(record, c)}
        record = replace(record, **gray)
    return record.over_images()


def check(*, size: int, channels: int, seed: int, vocabulary: str) -> None:
    """Refuse what cannot be drawn, saying what was expected.

    Raises:
        BadInput: an option is out of range.
    """
    if vocabulary not in VOCABULARIES:
        raise BadInput(f"procedural faces: vocabulary must be one of {', '.join(VOCABULARIES)}, found {vocabulary!r}")
    if not SMALLEST <= size <= LARGEST:
        raise BadInput(f"procedural faces: size must be {SMALLEST} to {LARGEST} pixels, found {size}")
    if channels not in (1, 3):
        raise BadInput(f"procedural faces: channels must be 1 or 3, found {channels}")
    if not 0 <= seed < 2**64:
        raise BadInput(f"procedural faces: seed must be 0 or more, found {seed}")
