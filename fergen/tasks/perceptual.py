"""The perceptual term of a task: the distance of images in the feature maps of a frozen classifier.

A distance counts by its logarithm, as the reconstruction's mean error does at its scale of greatest likelihood (see
`fergen.losses.variational.reconstruction`): at weight 1 a tenth less of it is worth as much as a tenth less of the
mean squared error, whatever the network and its layers.
"""

import importlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from fergen.core import fields
from fergen.core.errors import BadInput
from fergen.losses.perceptual import feature_distance, moment_distance, style_distance
from fergen.tasks.network import image_of
from fergen.tasks.state import Fixed, require_classifier

WEIGHTS = ("features", "style", "moments")
# Distances below are as good as none: the logarithm stays finite.
FLOOR = 1e-4


class Perceptual(NamedTuple):
    """A frozen classifier in whose feature maps images are compared.

    Attributes:
        maps: (variables, images) -> name -> feature maps [b, h', w', c'].
        layers: names of the maps that count.
        weights: of the distances between reconstructions and images by features and by style, and between samples and
            images by moments.
    """

    maps: Callable
    layers: tuple[str, ...]
    weights: Mapping[str, float]

    def loss(self, variables: Any, images: jax.Array, made: jax.Array, samples: jax.Array) -> jax.Array:
        """Compute the term in nats per image.

        Args:
            variables: of the classifier.
            images: float32 [b, h, w, c] in [-1, 1].
            made: their reconstructions, likewise.
            samples: [m, h, w, c], faces that none of the images stands behind.
        """
        real, ours = self.maps(variables, images), self.maps(variables, made)
        each = {
            "features": lambda: feature_distance(ours, real, self.layers).mean(),
            "style": lambda: style_distance(ours, real, self.layers).mean(),
            "moments": lambda: moment_distance(self.maps(variables, samples), real, self.layers),
        }
        logs = [weight * jnp.log(each[name]() + FLOOR) for name, weight in self.weights.items() if weight]
        return math.prod(images.shape[1:]) / 2 * sum(logs, jnp.zeros(()))


def references(config) -> dict[str, str]:
    """Return {"perceptual": reference} where `config.perceptual` names one."""
    return {"perceptual": config.perceptual.reference} if config.perceptual.reference else {}


def perceptual_of(config, fixed: Mapping[str, Fixed]) -> Perceptual | None:
    """Build the perceptual term of a config; None where it asks for none.

    Args:
        config: its group `perceptual`: reference, layers, the weights.
        fixed: the networks of `references`.

    Raises:
        BadInput: a reference without weight or the reverse, a network that is no classifier, or one that lacks a layer.
    """
    net = fixed.get("perceptual")
    weights = {name: fields.number(f"perceptual.{name}", config.perceptual[name]) for name in WEIGHTS}
    if net is None and not any(weights.values()):
        return None
    if net is None or not any(weights.values()):
        given = ", ".join(f"{name}={weight:g}" for name, weight in weights.items())
        raise BadInput(
            f"--config.perceptual.reference='{config.perceptual.reference}' with {given}: expected a reference and a"
            " weight above 0, or neither"
        )
    layers = layers_of(net, "perceptual", config.perceptual.layers)
    return Perceptual(net.predict["maps"], tuple(layers), weights)


def layers_of(net: Fixed, group: str, layers: Sequence[str]) -> dict[str, tuple[int, int, int]]:
    """Return height, width and channels of some of a classifier's feature maps, without computing any.

    Args:
        net: the classifier.
        group: of the config, which names it.
        layers: of the same group.

    Raises:
        BadInput: the network is no classifier, or lacks a layer.
    """
    require_classifier(net, f"--config.{group}.reference={net.name}", "maps")
    image = jax.ShapeDtypeStruct((1, *image_of(net.spec)), jnp.float32)
    shapes = importlib.import_module(f"fergen.tasks.{net.spec['task']}").shapes_of(net.spec)
    there = {name: x.shape[1:] for name, x in jax.eval_shape(net.predict["maps"], shapes, image).items()}
    layers = tuple(layers)
    for layer in layers or ("",):
        if layer not in there:
            raise BadInput(
                f"--config.{group}.layers={layers}: '{net.name}' has no layer '{layer}'; it has: {', '.join(there)}"
            )
    return {layer: there[layer] for layer in layers}
