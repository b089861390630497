"""Faces of a StyleGAN2 edited towards expressions: by search, along directions, or drawn by a CVAE's pictures."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fergen.core.arrays import to_uint8
from fergen.core.clock import Progress
from fergen.core.errors import BadInput
from fergen.data.vocabulary import mapping
from fergen.latent import directions, search
from fergen.tasks.classifier import conform
from fergen.tasks.guide import seen
from fergen.train import feature_spaces
from fergen.train.edit_scene import Scene, index, scene
from fergen.train.projecting import distance_to, many_styles
from fergen.train.restore import Restored

WAYS = ("search", "gradient", "regression")
FRAMES = 12  # of a trajectory's pictures
GRADIENTS, FITTED = 256, 4096  # faces that a direction is found on, by either way
HYBRID = ("before", "CVAE", "StyleGAN2", "hybrid")  # what is shown side by side


@dataclass(frozen=True)
class Edited:
    """Faces before, on the way and after: n rows for each expression, one expression after the other.

    Attributes:
        scene: the networks and the faces before.
        frames: uint8 [frames, rows, h, w, c], the first before, the last after.
        points: styles [rows, layers, w] after; latents [rows, 1, z] in the space z.
        directions: of each expression, in white coordinates, [w]; none of a search.
        hybrid: uint8 [rows, 4, h, w, c], as `HYBRID` names them; None without a CVAE.
        about: names, settings, probabilities by guide and judge before and after, identity, steps per second.
    """

    scene: Scene
    frames: np.ndarray
    points: np.ndarray
    directions: dict[str, np.ndarray]
    hybrid: np.ndarray | None
    about: dict[str, Any]


def edit(
    reference: str,
    wanted: Sequence[str] | None,
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
    """Move the same faces towards each of some expressions, all at once.

    Args:
        reference: weights of a StyleGAN2.
        wanted: the expressions, or synonyms; None for all that the generator knows.
        by: "search", a move for each face; "gradient" or "regression", along one direction for all, see
            `fergen.latent.directions`.
        guides: classifiers whose gradient is followed; a direction is that of the first.
        judge: an independent classifier that says what it sees before and after; None for none.
        start: `styles.npz` of `fergen project`; None for n random faces, those of the first rows of `fergen sample`.
        label: of random faces; None for every expression in turn.
        truncation: of random faces, 0 for the mean face of the label; None for the generator's own.
        n: how many.
        features: the feature space of identity; None for EfficientNet-Lite0 at the generator's size.
        cvae: weights of a CVAE, whose picture of each face with the wanted expression pulls the search.
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
        reference, wanted, guides=guides, judge=judge, cvae=cvae, start=start, label=label, truncation=truncation, n=n,
        space=settings.space, seed=seed,
    )  # fmt: skip
    space = feature_spaces.load(features or f"lite0@{max(this.net.spec['image']['height'], 32)}")
    features_of = jax.jit(partial(space.fn, space.variables))
    began = time.monotonic()
    found, hybrid = {}, None
    if by != "search":
        way, found, more = moved(this, by, label, strength)
    else:
        way, more = searched(this, space, settings, seed, quiet=quiet)
        if this.cvae is not None:
            picture = relabelled(this, this.cvae)
            shown = [this.images(way[0]), to_uint8(picture), this.images(way[-1])]
            way, more = searched(this, space, settings, seed, quiet=quiet, pulled=picture)
            hybrid = np.stack([*shown, this.images(way[-1])], axis=1)
    at = np.unique(np.linspace(0, len(way) - 1, FRAMES).round().astype(int))
    frames = np.stack([this.images(way[i]) for i in at])
    guided = np.stack([np.mean([guide.probabilities(images) for guide in this.guides], axis=0) for images in frames])
    about = {
        "weights": this.net.name,
        "hash": this.net.hash,
        "wanted": list(this.wanted),
        "by": by,
        "guides": [guide.net.name for guide in this.guides],
        "judge": judge,
        "cvae": cvae,
        "features": space.name,
        "seed": seed,
        "seconds": round(time.monotonic() - began, 2),
        "guide before": guided[0].tolist(),
        "guide after": guided[-1].tolist(),
        "guide along": guided.mean(1).tolist(),
        "moved": np.sqrt(np.square((way[-1] - way[0]) @ np.asarray(this.white.matrix)).mean((1, 2))).tolist(),
        "identity": identity(features_of, frames[0], frames[-1]),
        **more,
    }
    if hybrid is not None:
        about["identity of hybrid"] = {
            name: identity(features_of, hybrid[:, 0], hybrid[:, i]) for i, name in enumerate(HYBRID) if i
        }
    if this.judge is not None:
        about["judge before"], about["judge after"] = (this.judge.probabilities(frames[i]).tolist() for i in (0, -1))
        if hybrid is not None:
            each = (this.judge.probabilities(hybrid[:, i]).tolist() for i in range(len(HYBRID)))
            about["judge of hybrid"] = dict(zip(HYBRID, each))
    return Edited(this, frames, way[-1], found, hybrid, about)


def searched(
    this: Scene,
    space: feature_spaces.FeatureSpace,
    settings: search.Settings,
    seed: int,
    *,
    quiet: bool,
    pulled: jax.Array | None = None,
) -> tuple[np.ndarray, dict[str, Any]]:
    """Search; returns points [steps + 1, rows, layers, w], and what there is to say.

    Args:
        this: the scene.
        space: of identity, and of the distance to the pictures that pull.
        settings: of the search.
        seed: of the views.
        quiet: show no progress.
        pulled: float32 [rows, h, w, c] in [-1, 1], the pictures that pull; None for none.
    """
    began = time.monotonic()
    label = "edit:" if pulled is None else "edit, pulled:"
    with Progress(settings.steps, unit="steps", label=label, quiet=quiet) as progress:
        points = search.search(
            this.synthesise,
            [guide.logits for guide in this.guides],
            start=this.start,
            targets=[jnp.asarray(guide.targets) for guide in this.guides],
            white=this.white,
            views=lambda key, x: seen(key, x, jnp.zeros((len(x), 1)))[0],
            features=(lambda x: space.fn(space.variables, x)) if settings.identity else None,
            pull=None if pulled is None else low_distance(space, pulled),
            seed=seed,
            settings=settings,
            advance=progress.update,
        )
    rate = settings.steps / (time.monotonic() - began)
    return points, {"settings": vars(settings), "steps/s": round(rate, 2)}


def moved(
    this: Scene, by: str, label: str | None, strength: float
) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, Any]]:
    """Go along directions; returns points [frames, rows, layers, w], the directions, and what there is to say."""
    guide, strengths = this.guides[0], np.linspace(0, strength, FRAMES)
    styles = many_styles(this.net, label, GRADIENTS if by == "gradient" else FITTED)
    logits = None if by == "gradient" else directions.scores(this.synthesise, guide.logits, styles)
    starts, ways, found = np.split(np.asarray(this.start), len(this.wanted)), [], {}
    for name, start in zip(this.wanted, starts):
        target = index(guide.net, name)
        if logits is None:
            found[name] = directions.by_gradient(this.synthesise, guide.logits, target, styles, this.white)
        else:
            odds = directions.log_odds(jnp.asarray(logits), target)
            found[name] = directions.by_regression(styles[:, 0], np.asarray(odds), this.white)
        ways.append(directions.along(start, found[name].vector, strengths, this.white))
    what = "agreement of gradients" if by == "gradient" else "R squared"
    vectors = {name: direction.vector for name, direction in found.items()}
    mean = float(np.mean([direction.strength for direction in found.values()]))
    return np.concatenate(ways, axis=1), vectors, {"strengths": strengths.tolist(), what: mean}


def identity(features: Callable, before: np.ndarray, after: np.ndarray) -> list[float]:
    """Return how far each face went from itself: 1 less the cosine of its features, [rows]."""
    return np.asarray(search.distance(features(before), features(after))).tolist()


def relabelled(this: Scene, cvae: Restored) -> jax.Array:
    """Return a CVAE's pictures of the faces with the wanted expressions, float32 [rows, h, w, c], at the faces' size.

    The CVAE encodes a face under the expression of its own that the first guide sees on it most, and decodes it under
    the wanted one.

    Raises:
        BadInput: it does not know an expression.
    """
    before, guide = this.images(this.start), this.guides[0]
    theirs = mapping(cvae.spec["classes"], guide.net.spec["classes"])
    logits = np.where(theirs >= 0, np.asarray(guide.logits(before))[:, theirs], -np.inf)
    own = logits.argmax(1)
    wanted = np.repeat([index(cvae, name) for name in this.wanted], len(own) // len(this.wanted))
    return conform(jax.jit(cvae.predict["relabel"])(cvae.variables, before, own, wanted), this.net.spec)


def low_distance(space: feature_spaces.FeatureSpace, pictures: jax.Array) -> Callable[[jax.Array], jax.Array]:
    """Return the distance of images to pictures [n, h, w, c] at half their resolution."""
    n, height, width, channels = pictures.shape

    def low(images: jax.Array) -> jax.Array:
        return jax.image.resize(images, (n, height // 2, width // 2, channels), "linear")

    distance = distance_to(space, low(pictures))
    return lambda images: distance(low(images))
