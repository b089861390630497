"""Faces of a StyleGAN2 edited towards an expression: by search, along a direction, or drawn by a CVAE's picture."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fergen.core.arrays import to_float, to_uint8
from fergen.core.clock import Progress
from fergen.core.errors import BadInput
from fergen.latent import directions, search
from fergen.losses.perceptual import feature_distance
from fergen.tasks.classifier import conform
from fergen.tasks.guide import seen
from fergen.train import faces, feature_spaces
from fergen.train.edit_scene import Scene, index, many_styles, scene
from fergen.train.projecting import LAYERS
from fergen.train.restore import Restored

WAYS = ("search", "gradient", "regression")
FRAMES = 12  # of a trajectory's pictures
GRADIENTS, FITTED = 256, 4096  # faces that a direction is found on, by either way


@dataclass(frozen=True)
class Edited:
    """Faces before, on the way and after.

    Attributes:
        frames: uint8 [frames, n, h, w, c], the first before, the last after.
        points: styles [n, layers, w] after; latents [n, 1, z] in the space z.
        direction: in white coordinates, [w]; None for a search.
        hybrid: uint8 [n, 4, h, w, c]: before, the CVAE's picture, the search alone, the search that it pulls; None
            without a CVAE.
        about: names, settings, probabilities by guide and judge before and after, identity, steps per second.
    """

    frames: np.ndarray
    points: np.ndarray
    direction: np.ndarray | None
    hybrid: np.ndarray | None
    about: dict[str, Any]


def edit(
    reference: str,
    target: str,
    *,
    by: str = "search",
    guides: Sequence[str] = ("fer2013_small",),
    judge: str | None = None,
    start: str | Path | None = None,
    label: str | None = None,
    truncation: float | None = None,
    n: int = 8,
    features: str | None = None,
    cvae: str | None = None,
    strength: float = 3.0,
    settings: search.Settings = search.Settings(),  # noqa: B008 (frozen)
    seed: int = 0,
    quiet: bool = True,
) -> Edited:
    """Move faces towards an expression, all at once.

    Args:
        reference: weights of a StyleGAN2.
        target: the expression, or a synonym.
        by: "search", a move for each face; "gradient" or "regression", along one direction for all, see
            `fergen.latent.directions`.
        guides: classifiers whose gradient is followed; a direction is that of the first.
        judge: an independent classifier that says what it sees before and after; None for none.
        start: `styles.npz` of `fergen project`; None for n random faces.
        label: of random faces; None for every expression in turn.
        truncation: of random faces, 0 for the mean face of the label; None for the generator's own.
        n: how many.
        features: the feature space of identity; None for EfficientNet-Lite0 at the generator's size.
        cvae: weights of a CVAE, whose picture of each face with the target's expression pulls the search.
        strength: how far to go along a direction, in standard deviations of styles.
        settings: of the search.
        seed: of random faces and of the guides' views.
        quiet: show no progress.

    Raises:
        BadInput: other weights than expected, an expression that one of them does not know, a judge that is a guide or
            took part in the generator's training, styles of another generator, or options that do not go together.
    """
    if by not in WAYS or (by != "search" and (settings.space == "z" or cvae)):
        raise BadInput(f"by {by!r}: expected one of {', '.join(WAYS)}; a space z and a CVAE go with search alone")
    this = scene(
        reference, target, guides=guides, judge=judge, start=start, label=label, truncation=truncation, n=n,
        space=settings.space, seed=seed,
    )  # fmt: skip
    space = feature_spaces.load(features or f"lite0@{max(this.net.spec['image']['height'], 32)}")
    began = time.monotonic()
    direction, hybrid, more = None, None, {}
    if by == "search":
        picture = None if cvae is None else relabelled(this, cvae)
        way, more = searched(this, space, settings, seed, quiet=quiet)
        if picture is not None:
            alone = faces_of(this, way[-1])
            way, more = searched(this, space, settings, seed, quiet=quiet, pulled=picture)
            hybrid = np.stack([faces_of(this, way[0]), np.asarray(to_uint8(picture)), alone, faces_of(this, way[-1])])
            hybrid = hybrid.swapaxes(0, 1)
    else:
        way, direction, more = moved(this, by, label, strength)
    seconds = time.monotonic() - began
    frames = np.stack(
        [faces_of(this, way[i]) for i in np.unique(np.linspace(0, len(way) - 1, FRAMES).round().astype(int))]
    )
    about = {
        "weights": this.net.name,
        "hash": this.net.hash,
        "target": target,
        "by": by,
        "guides": [member.name for member in this.guides],
        "judge": judge,
        "cvae": cvae,
        "features": space.name,
        "seed": seed,
        "seconds": round(seconds, 2),
        **{f"guide {when}": guided(this, images) for when, images in (("before", frames[0]), ("after", frames[-1]))},
        "moved": np.sqrt(np.square((way[-1] - way[0]) @ np.asarray(this.white.matrix)).mean((1, 2))).tolist(),
        "identity": identity(space, frames[0], frames[-1]),
        **more,
    }
    if this.judge is not None:
        about |= {
            f"judge {when}": this.seen_by(this.judge, x) for when, x in (("before", frames[0]), ("after", frames[-1]))
        }
        if hybrid is not None:
            names = ("before", "cvae", "search", "hybrid")
            about["judge of hybrid"] = {name: this.seen_by(this.judge, hybrid[:, i]) for i, name in enumerate(names)}
    return Edited(frames, way[-1], direction, hybrid, about)


def searched(
    this: Scene,
    space: feature_spaces.FeatureSpace,
    settings: search.Settings,
    seed: int,
    *,
    quiet: bool,
    pulled: jax.Array | None = None,
) -> tuple[np.ndarray, dict[str, Any]]:
    """Search; returns points [steps + 1, n, layers, w], and what there is to say.

    Args:
        this: the scene.
        space: of identity, and of the distance to the pictures that pull.
        settings: of the search.
        seed: of the views.
        quiet: show no progress.
        pulled: float32 [n, h, w, c] in [-1, 1], the pictures that pull; None for none.
    """
    began = time.monotonic()
    label = "edit:" if pulled is None else "edit, pulled:"
    with Progress(settings.steps, unit="steps", label=label, quiet=quiet) as progress:
        found = search.search(
            this.synthesise,
            this.logits(),
            start=this.start,
            targets=[jnp.full(len(this.start), target) for target in this.targets],
            white=this.white,
            views=lambda key, x: seen(key, x, jnp.zeros((len(x), 1)))[0],
            features=(lambda x: space.fn(space.variables, x)) if settings.identity else None,
            pull=None if pulled is None else low_distance(space, pulled),
            seed=seed,
            settings=settings,
            advance=progress.update,
        )
    rate = settings.steps / (time.monotonic() - began)
    return found.points, {"settings": vars(settings), "steps/s": round(rate, 2)}


def moved(this: Scene, by: str, label: str | None, strength: float) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Go along a direction; returns points [frames, n, layers, w], the direction, and what there is to say."""
    guide, target = this.logits()[0], this.targets[0]
    if by == "gradient":
        styles = many_styles(this.net, label, GRADIENTS)
        found = directions.by_gradient(this.synthesise, guide, target, styles, this.white)
    else:
        styles = many_styles(this.net, label, FITTED)
        odds = directions.scores(this.synthesise, lambda x: directions.log_odds(guide(x), target), styles)
        found = directions.by_regression(styles[:, 0], odds, this.white)
    strengths = np.linspace(0, strength, FRAMES)
    way = directions.along(this.start, found.vector, strengths, this.white)
    what = "agreement of gradients" if by == "gradient" else "R squared"
    along = [float(np.mean(guided(this, faces_of(this, points)))) for points in way]
    return way, found.vector, {"strengths": strengths.tolist(), what: found.strength, "guide along": along}


def faces_of(this: Scene, points: np.ndarray) -> np.ndarray:
    """Return the images uint8 [n, h, w, c] of points."""
    return np.asarray(jax.jit(lambda x: to_uint8(this.synthesise(x).clip(-1, 1)))(points))


def guided(this: Scene, images: np.ndarray) -> list[float]:
    """Return the probability that the guides give to the expression on each face, their mean."""
    return np.mean([this.seen_by(member, images) for member in this.guides], axis=0).tolist()


def identity(space: feature_spaces.FeatureSpace, before: np.ndarray, after: np.ndarray) -> list[float]:
    """Return how far each face went from itself: 1 less the cosine of its features, [n]."""
    features = jax.jit(space.fn)
    return np.asarray(search.distance(features(space.variables, before), features(space.variables, after))).tolist()


def relabelled(this: Scene, reference: str) -> jax.Array:
    """Return a CVAE's pictures of the faces with the target's expression, float32 [n, h, w, c], at the faces' size.

    The CVAE encodes a face under the expression that the guide sees on it, and decodes it under the target.

    Raises:
        BadInput: the weights are no CVAE's, or it does not know an expression.
    """
    cvae: Restored = faces.generator(reference)
    if "relabel" not in cvae.predict:
        raise BadInput(f"weights '{reference}': expected a cvae, found a {cvae.spec['task']}")
    before, guide = faces_of(this, np.asarray(this.start)), this.guides[0]
    names = [guide.spec["classes"][i] for i in np.asarray(guide.predict["logits"](guide.variables, before)).argmax(1)]
    own = jnp.array([index(cvae, name) for name in names])
    wanted = jnp.full(len(before), index(cvae, this.target))
    return conform(cvae.predict["relabel"](cvae.variables, before, own, wanted), this.net.spec)


def low_distance(space: feature_spaces.FeatureSpace, pictures: jax.Array) -> Callable[[jax.Array], jax.Array]:
    """Return the distance of images to pictures [n, h, w, c] at half their resolution: of pixels and of features."""
    n, height, width, channels = pictures.shape

    def low(images: jax.Array) -> jax.Array:
        return jax.image.resize(images, (n, height // 2, width // 2, channels), "linear")

    wanted = low(to_float(pictures))
    theirs = jax.jit(space.maps)(space.variables, wanted)
    layers = [name for name in LAYERS if name in theirs] or list(theirs)

    def distance(images: jax.Array) -> jax.Array:
        images = low(images)
        pixels = jnp.square(images - wanted).mean((1, 2, 3))
        return pixels + feature_distance(space.maps(space.variables, images), theirs, layers)

    return distance
