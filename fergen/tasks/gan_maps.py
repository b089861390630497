"""The feature maps of a frozen network that a critic sees beside an image's pixels: see `fergen.models.gan_critic`."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from fergen.tasks.perceptual import layers_of
from fergen.tasks.state import Fixed, recorded


class Maps(NamedTuple):
    """A frozen classifier whose feature maps a critic sees.

    Attributes:
        of: (variables, images) -> name -> feature maps [b, h', w', c'].
        layers: names of those that it sees.
    """

    of: Callable
    layers: tuple[str, ...]

    def __call__(self, variables: Any, images: jax.Array) -> dict[str, jax.Array]:
        """Return the maps of images [b, h, w, c], each image's scaled to mean square 1.

        Args:
            variables: of the classifier.
            images: float32 in [-1, 1].
        """
        maps = self.of(variables, images)
        chosen = {name: maps[name].astype(jnp.float32) for name in self.layers}
        return {
            name: x * jax.lax.rsqrt(jnp.square(x).mean((1, 2, 3), keepdims=True) + 1e-6) for name, x in chosen.items()
        }


def references(config) -> dict[str, str]:
    """Return {"maps": reference} where `config.maps` names one."""
    return {"maps": config.maps.reference} if config.maps.reference else {}


def maps_of(config, fixed: Mapping[str, Fixed]) -> Maps | None:
    """Build the maps of a config; None where it asks for none.

    Args:
        config: its group `maps`: reference and layers.
        fixed: the networks of `references`.

    Raises:
        BadInput: a network that is no classifier, or one that lacks a layer.
    """
    net = fixed.get("maps")
    if net is None:
        return None
    layers = layers_of(net, "maps", config.maps.layers)
    return Maps(net.predict["maps"], tuple(layers))


def record(config, fixed: Mapping[str, Fixed]) -> dict[str, Any]:
    """Return what a spec says of the network and the shapes of its maps: {} without one; arguments as of `maps_of`."""
    net = fixed.get("maps")
    if net is None:
        return {}
    layers = {name: list(shape) for name, shape in layers_of(net, "maps", config.maps.layers).items()}
    return {"maps": {**recorded("maps", fixed)["maps"], "layers": layers}}
