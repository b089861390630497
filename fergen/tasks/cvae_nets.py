"""The networks of a CVAE as their spec describes them: variables, and what they predict."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from fergen.core.keys import named
from fergen.models.cvae import transport
from fergen.tasks.classifier import conform
from fergen.tasks.network import image_of, network_of


def networks_of(spec: Mapping[str, Any]):
    """Build the networks that a spec describes; raises as `network_of`."""
    return network_of(spec, image=image_of(spec))


def initial(spec: Mapping[str, Any], key: jax.Array) -> dict[str, Any]:
    """Return variables as training begins with them: {"params": {"encoder": ..., "decoder": ..., "prior": ...}}."""
    networks, images = networks_of(spec), jnp.zeros((1, *image_of(spec)))
    latents, labels, time = jnp.zeros((1, *spec["latent"])), jnp.zeros(1, jnp.int32), jnp.zeros(1)
    inputs = {"encoder": (images, labels), "decoder": (latents, labels), "prior": (latents, time, labels)}
    return {
        "params": {
            name: network.init(named(key, name), *inputs[name])["params"]
            for name, network in networks._asdict().items()
            if network
        }
    }


def shapes_of(spec: Mapping[str, Any]) -> Any:
    """Return the shapes and types of the weights that a spec describes."""
    return jax.eval_shape(partial(initial, spec), jax.random.key(0))


def applied(networks, params: Mapping[str, Any]) -> tuple[Callable, Callable, Callable]:
    """Return encode(images, labels), decode(latents, labels) and velocity(labels, x, time) with these parameters."""

    def encode(images, labels):
        return networks.encoder.apply({"params": params["encoder"]}, images, labels)

    def decode(latents, labels):
        return networks.decoder.apply({"params": params["decoder"]}, latents, labels)

    def velocity(labels, x, time):
        return networks.prior.apply({"params": params["prior"]}, x, time, labels)

    return encode, decode, velocity


def from_prior(networks, params: Mapping[str, Any], noise: jax.Array, labels: jax.Array) -> jax.Array:
    """Carry standard normal noise [n, d] to latents of the classes labels [n]."""
    if not networks.prior:
        return noise
    return transport(partial(applied(networks, params)[2], labels), noise)


def predict_of(spec: Mapping[str, Any]) -> dict[str, Callable]:
    """Return the pure functions of a trained CVAE.

    Images come as uint8 or float32 [-1, 1], [n, h, w, c] of any size, gray or colour; they go as float32 in [-1, 1] of
    the spec's size. Labels are int32 [n].

    `draw(key)`: -> the latent of one sample, float32 [d], standard normal.
    `sample(variables, latents [n, d], labels)`: -> images. The prior carries the latents to z of the class.
    `encode(variables, images, labels)`: -> mean and logvar of the posterior of z, float32 [n, d] each.
    `decode(variables, z [n, d], labels)`: -> images.
    `reconstruct(variables, images, labels)`: -> images, from the mean of the posterior.
    `relabel(variables, images, labels, new_labels)`: -> the same faces with other expressions: the mean of the
    posterior under their own labels, decoded under the new ones.
    """
    networks = networks_of(spec)

    def draw(key):
        return jax.random.normal(key, tuple(spec["latent"]))

    def encode(variables, images, labels):
        return applied(networks, variables["params"])[0](conform(images, spec), labels)

    def decode(variables, latents, labels):
        return applied(networks, variables["params"])[1](latents, labels).clip(-1, 1)

    def sample(variables, latents, labels):
        return decode(variables, from_prior(networks, variables["params"], latents, labels), labels)

    def relabel(variables, images, labels, new_labels):
        return decode(variables, encode(variables, images, labels)[0], new_labels)

    def reconstruct(variables, images, labels):
        return relabel(variables, images, labels, labels)

    return {
        "draw": draw,
        "sample": sample,
        "encode": encode,
        "decode": decode,
        "reconstruct": reconstruct,
        "relabel": relabel,
    }
