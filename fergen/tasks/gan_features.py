"""Fixed features for a critic: feature maps of a frozen classifier, which it sees beside the pixels.

A critic has to learn what matters in faces before it can teach; a classifier of the same faces knows. Sauer et al.
2021, "Projected GANs Converge Faster" (arXiv:2111.01007), section 3, whose critics see such features alone.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from fergen.core.errors import BadInput
from fergen.tasks.perceptual import layers_of
from fergen.tasks.state import Fixed


class Features(NamedTuple):
    """A frozen classifier whose feature maps a critic sees.

    Attributes:
        maps: (variables, images) -> name -> feature maps [b, h', w', c'].
        layers: names of the maps that are shown.
    """

    maps: Callable
    layers: tuple[str, ...]

    def see(self, variables: Any, images: jax.Array) -> dict[str, jax.Array]:
        """Return the maps of images float32 [b, h, w, c] in [-1, 1], by name."""
        found = self.maps(variables, images)
        return {name: found[name] for name in self.layers}


def references(config) -> dict[str, str]:
    """Return {"features": reference} where `config.features` names one."""
    return {"features": config.features.reference} if config.features.reference else {}


def features_of(config, fixed: Mapping[str, Fixed]) -> Features | None:
    """Build the features of a config; None where it asks for none.

    Args:
        config: its group `features`: reference and layers.
        fixed: the networks of `references`.

    Raises:
        BadInput: a network that is no classifier, or one that lacks a layer.
    """
    net = fixed.get("features")
    if net is None:
        return None
    if "maps" not in net.predict:
        raise BadInput(f"--config.features.reference={net.name}: expected a classifier, found a {net.spec['task']}")
    layers, there = tuple(config.features.layers), layers_of(net)
    for layer in layers or ("",):
        if layer not in there:
            raise BadInput(
                f"--config.features.layers={layers}: '{net.name}' has no layer '{layer}'; it has: {', '.join(there)}"
            )
    return Features(net.predict["maps"], layers)


def require_seen(spec: Mapping[str, Any], resolutions: list[tuple[int, int]]) -> None:
    """Check that the critic sees every map that `record` wrote into a spec.

    Raises:
        BadInput: a map has none of the critic's resolutions.
    """
    for name, (height, width, _) in spec.get("features", {}).get("maps", {}).items():
        if (height, width) not in resolutions:
            has = ", ".join(f"{h}x{w}" for h, w in resolutions)
            raise BadInput(
                f"--config.features.layers: '{name}' of '{spec['features']['name']}' is {height}x{width}, and the"
                f" critic looks at {has}; leave it out, or take another network"
            )


def record(config, fixed: Mapping[str, Fixed], image: tuple[int, int, int]) -> dict[str, Any]:
    """Return what a spec says of the features: the network and the maps' shapes; {} without one.

    Args:
        config: as in `features_of`.
        fixed: likewise.
        image: height, width and channels of the images.
    """
    features = features_of(config, fixed)
    if features is None:
        return {}
    net = fixed["features"]
    maps = jax.eval_shape(features.see, net.variables, jax.ShapeDtypeStruct((1, *image), jnp.float32))
    # The last part alone of a path: a spec travels to other machines.
    about = {"name": Path(net.name).name, "hash": net.hash, "model": net.spec["model"]}
    return {"features": {**about, "maps": {name: list(each.shape[1:]) for name, each in maps.items()}}}
