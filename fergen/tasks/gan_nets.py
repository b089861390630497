"""The two networks of a GAN as their spec describes them: variables by collection and net, and what they predict."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from fergen.core.keys import named
from fergen.models.gan_critic import Networks
from fergen.nn import spectral_norm
from fergen.tasks.classifier import conform
from fergen.tasks.network import image_of, network_of

NETS = ("generator", "critic")


def normalised(params: Any, collections: dict, *, iterations: int) -> tuple[Any, dict]:
    """Return the critic's parameters as they are applied, and its collections after the power iterations."""
    vectors = collections.get(spectral_norm.COLLECTION)
    if vectors is None:
        return params, collections
    params, vectors = spectral_norm.normalise(params, vectors, iterations=iterations)
    return params, {**collections, spectral_norm.COLLECTION: vectors}


def modules_of(spec: Mapping[str, Any]) -> Networks:
    """Build the networks that a spec describes; raises as `network_of`."""
    return network_of(spec, without=("spectral_norm",), image=image_of(spec))


def initial(spec: Mapping[str, Any], key: jax.Array) -> dict[str, Any]:
    """Draw the variables of the spec's nets, by collection and net."""
    modules = modules_of(spec)
    images, labels = jnp.zeros((1, *image_of(spec))), jnp.zeros((1,), jnp.int32)
    found = {"generator": modules.generator.init(named(key, "generator"), jnp.zeros((1, *spec["latent"])), labels)}
    if "critic" in spec["nets"]:
        maps = {name: jnp.zeros((1, *shape)) for name, shape in spec.get("maps", {}).get("layers", {}).items()}
        # The averages of real images' spreads stand in for the batch's when images are judged one by one.
        statistics = {"batch_stats": {"spread": jnp.zeros(1 + len(maps))}}
        found["critic"] = {**modules.critic.init(named(key, "critic"), images, labels, maps), **statistics}
        if spec["model"]["spectral_norm"]:
            vectors = spectral_norm.start(named(key, "spectral"), found["critic"]["params"])
            found["critic"] = {**found["critic"], spectral_norm.COLLECTION: vectors}
    return by_collection(found)


def by_collection(nets: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Turn net -> collection -> tree into collection -> net -> tree."""
    kinds = sorted({kind for variables in nets.values() for kind in variables})
    return {kind: {name: nets[name][kind] for name in nets if kind in nets[name]} for kind in kinds}


def shapes_of(spec: Mapping[str, Any]) -> Any:
    """Return the shapes and types of the weights that a spec describes."""
    return jax.eval_shape(lambda key: initial(spec, key), jax.random.key(0))


def predict_of(spec: Mapping[str, Any]) -> dict[str, Callable]:
    """Return the pure functions of a trained GAN.

    `draw(key)`: -> the latent of one sample, float32 [z].
    `sample(variables, latents, labels)`: [n, z] and int32 [n] -> float32 [n, h, w, c] in [-1, 1]; an unconditional
    generator ignores the labels.
    `critic(variables, images, labels, maps=None)`: images uint8 or float32 [-1, 1], [n, h, w, c] of any size -> logits
    float32 [n]; where the weights hold the critic. One that saw a frozen network's maps wants them, as
    `fergen.tasks.gan_maps` makes them.
    """
    modules = modules_of(spec)

    def draw(key):
        return jax.random.normal(key, tuple(spec["latent"]))

    def sample(variables, latents, labels):
        own = {kind: trees["generator"] for kind, trees in variables.items() if "generator" in trees}
        labels = labels if spec["conditional"] else jnp.zeros_like(labels)
        return modules.generator.apply(own, latents, labels, train=False).clip(-1, 1)

    def logits(variables, images, labels, maps=None):
        own = {kind: trees["critic"] for kind, trees in variables.items() if "critic" in trees}
        params, _ = normalised(own["params"], own, iterations=0)
        spread = own["batch_stats"]["spread"]
        return modules.critic.apply({"params": params}, conform(images, spec), labels, maps, spread=spread).logits

    return {"draw": draw, "sample": sample, **({"critic": logits} if "critic" in spec["nets"] else {})}
