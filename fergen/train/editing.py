"""Faces of a StyleGAN2 edited towards an expression: the glue between weights, guides, judge and the search."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fergen.core.arrays import to_uint8
from fergen.core.clock import Progress
from fergen.core.errors import BadInput
from fergen.data.vocabulary import canonical, is_known
from fergen.evals.independence import require_independent
from fergen.latent import search
from fergen.tasks.guide import seen
from fergen.tasks.state import recorded
from fergen.tasks.stylegan2_nets import networks_of
from fergen.train import faces, feature_spaces
from fergen.train.projecting import STYLES, stylegan2_of
from fergen.train.restore import Restored, restore

FRAMES = 12  # of a trajectory's pictures


@dataclass(frozen=True)
class Edited:
    """Faces before, on the way and after.

    Attributes:
        frames: uint8 [frames, n, h, w, c], the first before the search, the last after it.
        found: see `fergen.latent.search.Found`.
        about: names, settings, probabilities by guide and judge before and after, identity, steps per second.
    """

    frames: np.ndarray
    found: search.Found
    about: dict[str, Any]


def edit(
    reference: str,
    target: str,
    *,
    guides: Sequence[str] = ("fer2013_small",),
    judge: str | None = None,
    start: str | Path | None = None,
    label: str | None = None,
    n: int = 8,
    features: str | None = None,
    settings: search.Settings = search.Settings(),  # noqa: B008 (frozen)
    seed: int = 0,
    quiet: bool = True,
) -> Edited:
    """Search for faces of an expression near others, all at once.

    Args:
        reference: weights of a StyleGAN2.
        target: the expression, or a synonym.
        guides: classifiers whose gradient is followed.
        judge: an independent classifier that says what it sees before and after; None for none.
        start: `styles.npz` of `fergen project`; None for n random faces.
        label: of random faces; None for every expression in turn.
        n: how many.
        features: the feature space of identity; None for EfficientNet-Lite0 at the generator's size.
        settings: of the search.
        seed: of random faces and of the guides' views.
        quiet: show no progress.

    Raises:
        BadInput: other weights than expected, an expression that one of them does not know, a judge that is a guide or
            took part in the generator's training, or styles of another generator.
    """
    net = stylegan2_of(reference)
    members = [classifier(name) for name in guides]
    targets = [index(member, target) for member in members]
    witness = None if judge is None else classifier(judge)
    if witness is not None:
        require_independent(net, witness)
        for member in members:
            # The guide's own weights, and its architecture: what it teaches convinces others of its kind.
            taught = {**member.spec, **recorded("guide", {"guide": member})}
            require_independent(replace(member, spec=taught), witness)
    own = begin(net, start, label, n, seed)
    space = (
        feature_spaces.load(features or f"lite0@{max(net.spec['image']['height'], 32)}") if settings.identity else None
    )
    z = jax.random.normal(jax.random.key(0, impl="threefry2x32"), (STYLES, *net.spec["latent"]))
    labels = jnp.arange(STYLES) % len(net.spec["classes"])
    white = search.whitening(jax.jit(net.predict["styles"])(net.variables, z, labels)[:, 0])

    began = time.monotonic()
    with Progress(settings.steps, unit="steps", label="edit:", quiet=quiet) as progress:
        found = search.search(
            lambda ws: net.predict["synthesise"](net.variables, ws),
            [lambda x, m=member: m.predict["logits"](m.variables, x) for member in members],
            start=own,
            targets=[jnp.full(len(own), target) for target in targets],
            white=white,
            views=lambda key, x: seen(key, x, jnp.zeros((len(x), 1)))[0],
            features=None if space is None else lambda x: space.fn(space.variables, x),
            seed=seed,
            settings=settings,
            advance=progress.update,
        )
    seconds = time.monotonic() - began
    synthesise = jax.jit(lambda ws: to_uint8(net.predict["synthesise"](net.variables, ws).clip(-1, 1)))
    at = np.unique(np.linspace(0, settings.steps, FRAMES).round().astype(int))
    frames = np.stack([np.asarray(synthesise(found.ws[i])) for i in at])
    about = {
        "weights": net.name,
        "hash": net.hash,
        "target": target,
        "guides": [member.name for member in members],
        "judge": judge,
        "features": space and space.name,
        "settings": vars(settings),
        "seed": seed,
        "seconds": round(seconds, 2),
        "steps/s": round(settings.steps / seconds, 2),
        "guide before": found.probabilities[:, 0].mean(0).tolist(),
        "guide after": found.probabilities[:, -1].mean(0).tolist(),
        "moved": found.moved.tolist(),
        "identity": None if found.identity is None else found.identity.tolist(),
    }
    if witness is not None:
        wanted = jnp.full(len(own), index(witness, target))
        for when, images in (("before", frames[0]), ("after", frames[-1])):
            logits = witness.predict["logits"](witness.variables, images)
            about[f"judge {when}"] = np.asarray(search.probability(logits, wanted)).tolist()
    return Edited(frames, found, about)


def classifier(reference: str) -> Restored:
    """Restore a classifier.

    Raises:
        BadInput: no such weights, or other ones.
    """
    found = restore(reference)
    if "logits" not in found.predict:
        raise BadInput(f"weights '{reference}': expected a classifier, found a {found.spec['task']}")
    return found


def index(member: Restored, name: str) -> int:
    """Return the number of an expression among a classifier's classes.

    Raises:
        BadInput: it does not know it.
    """
    classes = list(member.spec["classes"])
    wanted = canonical(name) if name not in classes and is_known(name) else name
    if wanted not in classes:
        raise BadInput(f"unknown emotion '{name}': '{member.name}' knows {', '.join(classes)}")
    return classes.index(wanted)


def begin(net: Restored, start: str | Path | None, label: str | None, n: int, seed: int) -> jax.Array:
    """Return the styles [n, layers, w] of the faces before.

    Raises:
        BadInput: the file holds no styles of this generator, or the label is unknown.
    """
    layout, width = networks_of(net.spec).synthesis.layout, networks_of(net.spec).mapping.w
    if start is not None:
        try:
            ws = np.load(start)["ws"]
        except (OSError, KeyError, ValueError) as error:
            raise BadInput(f"{start}: expected styles.npz of fergen project, found none ({error})") from None
        if ws.ndim != 3 or ws.shape[1:] != (layout.styles, width):
            raise BadInput(
                f"{start}: expected styles [n, {layout.styles}, {width}] of this generator, found shape {ws.shape}"
            )
        return jnp.asarray(ws)
    names = faces.chosen(net.spec, None if label is None else [label])
    known = list(net.spec["classes"])
    labels = jnp.array([known.index(names[i % len(names)]) for i in range(n)])
    z = jax.vmap(net.predict["draw"])(jax.random.split(jax.random.key(seed, impl="threefry2x32"), n))
    return jax.jit(net.predict["styles"])(net.variables, z, labels)
