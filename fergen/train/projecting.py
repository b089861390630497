"""A user's faces in the latent space of a StyleGAN2: the glue between images, weights, distances and the search."""

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
from fergen.data import inputs
from fergen.latent import projection
from fergen.losses.perceptual import feature_distance
from fergen.tasks.stylegan2_nets import networks_of
from fergen.train import faces, feature_spaces
from fergen.train.restore import Restored

# Latents whose styles say where the mean is and how far they spread.
STYLES = 10_000
# Feature maps of EfficientNet-Lite0 that a distance is taken in; of other networks all.
LAYERS = ("stage1", "stage2", "stage3")


@dataclass(frozen=True)
class Projected:
    """Faces and what the generator makes of them.

    Attributes:
        sources: file names or row numbers.
        targets: uint8 [n, h, w, c], at the generator's size.
        images: uint8 [n, h, w, c].
        found: styles, noise and distances.
        about: names of weights and features, settings, and steps per second.
    """

    sources: list[str | int]
    targets: np.ndarray
    images: np.ndarray
    found: projection.Projection
    about: dict[str, Any]


def project(
    reference: str,
    paths: Sequence[str | Path],
    *,
    label: str | None = None,
    features: str | None = None,
    settings: projection.Settings = projection.Settings(),  # noqa: B008 (frozen)
    seed: int = 0,
    quiet: bool = True,
) -> Projected:
    """Search for the styles of images, all at once.

    Args:
        reference: weights of a StyleGAN2.
        paths: images, folders of images, tables of pixels; see `fergen.data.inputs.read`.
        label: the expression of all of them, at whose mean style a conditional generator's search begins; None for the
            mean of all faces.
        features: the feature space that distances are taken in, see `feature_spaces.load`; None for EfficientNet-Lite0
            at the generator's size. The pixels' mean squared error is added.
        settings: of the search.
        seed: of noise and jitter.
        quiet: show no progress.

    Raises:
        BadInput: other weights than a StyleGAN2's, an unknown label, or a path that is no image.
    """
    net = stylegan2_of(reference)
    size = net.spec["image"]
    items = list(inputs.read(paths))
    targets = np.stack([item.decode((size["height"], size["width"]), size["channels"]) for item in items])
    space = feature_spaces.load(features or f"lite0@{max(size['height'], 32)}")
    layout = networks_of(net.spec).synthesis.layout
    mean, spread = style_statistics(net, label)

    with Progress(settings.steps, unit="steps", label="project:", quiet=quiet) as progress:
        found = projection.project(
            lambda ws, noise: net.predict["synthesise"](net.variables, ws, noise),
            distance_to(space, to_float(targets)),
            centre=np.repeat(np.asarray(mean)[None], len(targets), axis=0),
            spread=float(spread),
            layers=layout.styles,
            noise_sizes=layout.noise_sizes,
            seed=seed,
            settings=settings,
            advance=progress.update,
        )
    about = {
        "weights": net.name,
        "hash": net.hash,
        "features": space.name,
        "label": label,
        "space": settings.space,
        "steps": settings.steps,
        "seed": seed,
    }
    return Projected([item.source for item in items], targets, np.asarray(to_uint8(found.images)), found, about)


def distance_to(space: feature_spaces.FeatureSpace, targets: jax.Array) -> Callable[[jax.Array], jax.Array]:
    """Return images -> the distance [n] of each to its target, [n, h, w, c] in [-1, 1]: of pixels and of features."""
    theirs = jax.jit(space.maps)(space.variables, targets)
    layers = [name for name in LAYERS if name in theirs] or list(theirs)

    def distance(images: jax.Array) -> jax.Array:
        pixels = jnp.square(images - targets).mean((1, 2, 3))
        return pixels + feature_distance(space.maps(space.variables, images), theirs, layers)

    return distance


def stylegan2_of(reference: str, **sampler: Any) -> Restored:
    """Restore a StyleGAN2, some of its sampler's options replaced; see `faces.generator`.

    Raises:
        BadInput: no such weights, or other ones.
    """
    net = faces.generator(reference, **sampler)
    if net.spec["task"] != "stylegan2":
        raise BadInput(f"weights '{reference}': expected a stylegan2, found a {net.spec['task']}: it has no styles")
    return net


def style_statistics(net: Restored, label: str | None) -> tuple[jax.Array, jax.Array]:
    """Return the mean style [w], of a label or of all, and the spread of styles.

    Raises:
        BadInput: the generator does not know the label.
    """
    return projection.style_statistics(many_styles(net, label)[:, 0])


def many_styles(net: Restored, label: str | None, n: int = STYLES) -> jax.Array:
    """Return the styles [n, layers, w] of random latents, of one label or of every class in turn.

    Raises:
        BadInput: the generator does not know the label.
    """
    z = jax.random.normal(jax.random.key(0, impl="threefry2x32"), (n, *net.spec["latent"]))
    return jax.jit(net.predict["styles"])(net.variables, z, labels_in_turn(net, label, n))


def labels_in_turn(net: Restored, label: str | None, n: int) -> np.ndarray:
    """Return labels int32 [n] of a generator: one, or every class in turn; 0 of an unconditional one.

    Raises:
        BadInput: the generator does not know the label.
    """
    _, labels = faces.rows_of(net.spec, faces.chosen(net.spec, None if label is None else [label]))
    return labels[np.arange(n) % len(labels)]
