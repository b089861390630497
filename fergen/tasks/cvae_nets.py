"""The networks of a CVAE as their spec describes them: variables, and what they predict.

Where the prior is learned, classifier-free guidance of its velocity (Ho & Salimans 2022, arXiv:2207.12598, eq. 6) moves
latents towards what tells a class from others. The decoder turns them into faces as it does all latents, so that more
of the expression does not cost the face. And the same way back and forth under two labels changes the expression of a
face and keeps its noise, which is what all else about it comes from.
"""

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from fergen.core import fields
from fergen.core.errors import BadInput
from fergen.core.keys import named
from fergen.models.cvae import transport
from fergen.tasks.classifier import conform
from fergen.tasks.network import image_of, network_of


@dataclasses.dataclass(frozen=True)
class Sampler:
    """How latents are drawn: the fields of `spec["sampler"]`.

    Attributes:
        guidance: weight w in v(none) + w (v(label) - v(none)), with v the prior's velocity: 1 follows the label as
            learned.
        truncation: factor of the noise: below 1 samples are nearer to a class's centre, and more alike.
    """

    guidance: float
    truncation: float


def sampler_of(spec: Mapping[str, Any]) -> Sampler:
    """Check a spec's sampler and return it.

    Raises:
        BadInput: a field is missing, unknown or out of range, or there is guidance without a learned prior.
    """
    given, known = spec.get("sampler", {}), [field.name for field in dataclasses.fields(Sampler)]
    fields.require_exact("sampler", given, known)
    sampler = Sampler(*(fields.number(f"sampler.{name}", given[name]) for name in known))
    if sampler.guidance != 1 and not spec["model"]["prior"]:
        raise BadInput(
            f"sampler.guidance={sampler.guidance:g}: guidance is of a learned prior; expected 1 with model.prior=0"
        )
    return sampler


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


def from_noise(
    spec: Mapping[str, Any], networks, params: Mapping[str, Any], noise: jax.Array, labels: jax.Array
) -> jax.Array:
    """Carry noise [n, d] to latents of the classes labels [n], as the spec's sampler says."""
    if not networks.prior:
        return noise
    velocity, w = applied(networks, params)[2], sampler_of(spec).guidance
    if w == 1:
        return transport(partial(velocity, labels), noise)
    none = jnp.full_like(labels, len(spec["classes"]))

    def guided(x: jax.Array, time: jax.Array) -> jax.Array:
        without = velocity(none, x, time)
        return without + w * (velocity(labels, x, time) - without)

    return transport(guided, noise)


def to_noise(networks, params: Mapping[str, Any], latents: jax.Array, labels: jax.Array) -> jax.Array:
    """Carry latents [n, d] of the classes labels [n] back to their noise."""
    if not networks.prior:
        return latents
    return transport(partial(applied(networks, params)[2], labels), latents, back=True)


def predict_of(spec: Mapping[str, Any]) -> dict[str, Callable]:
    """Return the pure functions of a trained CVAE.

    Images come as uint8 or float32 [-1, 1], [n, h, w, c] of any size, gray or colour; they go as float32 in [-1, 1] of
    the spec's size. Labels are int32 [n].

    `draw(key)`: -> the latent of one sample, float32 [d], standard normal.
    `sample(variables, latents [n, d], labels)`: -> images. The prior carries the latents, as noise, to z of the class.
    `encode(variables, images, labels)`: -> mean and logvar of the posterior of z, float32 [n, d] each.
    `decode(variables, z [n, d], labels)`: -> images.
    `reconstruct(variables, images, labels)`: -> images, from the mean of the posterior.
    `relabel(variables, images, labels, new_labels)`: -> the same faces with other expressions: the mean of the
    posterior under their own labels, carried to its noise and from there to z of the new class, with guidance.

    Raises:
        BadInput: the sampler or the model is not one.
    """
    networks, sampler = networks_of(spec), sampler_of(spec)

    def draw(key):
        return jax.random.normal(key, tuple(spec["latent"]))

    def encode(variables, images, labels):
        return applied(networks, variables["params"])[0](conform(images, spec), labels)

    def decode(variables, latents, labels):
        return applied(networks, variables["params"])[1](latents, labels).clip(-1, 1)

    def sample(variables, latents, labels):
        noise = sampler.truncation * latents
        return decode(variables, from_noise(spec, networks, variables["params"], noise, labels), labels)

    def reconstruct(variables, images, labels):
        return decode(variables, encode(variables, images, labels)[0], labels)

    def relabel(variables, images, labels, new_labels):
        noise = to_noise(networks, variables["params"], encode(variables, images, labels)[0], labels)
        return decode(variables, from_noise(spec, networks, variables["params"], noise, new_labels), new_labels)

    return {
        "draw": draw,
        "sample": sample,
        "encode": encode,
        "decode": decode,
        "reconstruct": reconstruct,
        "relabel": relabel,
    }
