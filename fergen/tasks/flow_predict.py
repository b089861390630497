"""What a flow predicts, from its spec alone: velocities, and samples by following them."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from fergen.core import fields
from fergen.core.errors import BadInput
from fergen.losses import flow
from fergen.nn import ode
from fergen.tasks.classifier import conform, normalise
from fergen.tasks.network import image_of, network_of


@dataclasses.dataclass(frozen=True)
class Sampler:
    """How samples are made: the fields of `spec["sampler"]`.

    Attributes:
        name: euler or heun.
        steps: of the way from noise to data; heun looks twice in each.
        guidance: weight w in v(none) + w (v(label) - v(none)): 1 follows the label as learned, at half of the cost; 0
            ignores it. Ho & Salimans 2022 (arXiv:2207.12598), eq. 6, whose w is one less.
        interval: first and last time at which guidance acts; elsewhere its weight is 1. Kynkaanniemi et al. 2024
            (arXiv:2404.07724), eq. 5.
        shift: of the times of the steps, see `fergen.nn.ode.time_of`.
    """

    name: str
    steps: int
    guidance: float
    interval: tuple[float, float]
    shift: float


def sampler_of(spec: Mapping[str, Any]) -> Sampler:
    """Check a spec's sampler and return it.

    Raises:
        BadInput: a field is missing, unknown or out of range.
    """
    given, known = spec.get("sampler", {}), [field.name for field in dataclasses.fields(Sampler)]
    fields.require_exact("sampler", given, known)
    if given["name"] not in ode.SOLVERS:
        raise BadInput(f"sampler.name: expected one of {', '.join(ode.SOLVERS)}, found {given['name']!r}")
    interval = tuple(given["interval"])
    if len(interval) != 2 or not 0 <= interval[0] <= interval[1] <= 1:
        raise BadInput(f"sampler.interval: expected two times in order within [0, 1], found {interval}")
    return Sampler(
        name=given["name"],
        steps=fields.whole("sampler.steps", given["steps"], 1),
        guidance=fields.number("sampler.guidance", given["guidance"]),
        interval=interval,
        shift=fields.number("sampler.shift", given["shift"], 1e-3),
    )


def module_of(spec: Mapping[str, Any]):
    """Build the network that a spec describes; raises as `network_of`."""
    return network_of(spec, image=image_of(spec))


def initial(spec: Mapping[str, Any], key: jax.Array) -> dict[str, Any]:
    """Draw the variables of the spec's network."""
    x, time, label = jnp.zeros((1, *spec["latent"])), jnp.zeros((1,)), jnp.zeros((1,), jnp.int32)
    return module_of(spec).init(key, x, time, label, unaugmented(spec, 1))


def shapes_of(spec: Mapping[str, Any]) -> Any:
    """Return the shapes and types of the weights that a spec describes."""
    return jax.eval_shape(lambda key: initial(spec, key), jax.random.key(0))


def unaugmented(spec: Mapping[str, Any], n: int) -> jax.Array:
    """Return the augmentation labels of n images as they are: zeros [n, d]."""
    return jnp.zeros((n, spec["model"]["augmentations"]))


def denormalise(x: jax.Array, spec: Mapping[str, Any]) -> jax.Array:
    """Bring x [n, h, w, c] from mean 0 and variance 1 to the range of images: the inverse of `normalise`."""
    return x * jnp.asarray(spec["std"], jnp.float32) + jnp.asarray(spec["mean"], jnp.float32)


def predict_of(spec: Mapping[str, Any]) -> dict[str, Callable]:
    """Return the pure functions of a trained flow. Labels are int32 [n]; the number of classes stands for no label.

    `draw(key)`: -> the latent of one sample, noise float32 [h, w, c].
    `sample(variables, latents, labels)`: -> images float32 [n, h, w, c] in [-1, 1].
    `sample_step(variables, x, i, labels)`: step i of `spec["sampler"]["steps"]`, which begin with latents and end with
    the images of `sample`.
    `velocity(variables, x, time, labels, augmentation)`: x float32 [n, h, w, c] of mean 0 and variance 1, time float32
    [n]; augmentation float32 [n, d], by default that of images as they are -> float32 [n, h, w, c].
    `velocity_error(variables, images, labels, noise, time)`: images uint8 or float32 [-1, 1], [n, h, w, c] of any size,
    noise float32 [n, *latent] -> float32 [n], the training loss of each.

    Raises:
        BadInput: the sampler or the model is not one.
    """
    module, sampler = module_of(spec), sampler_of(spec)

    def draw(key):
        return jax.random.normal(key, tuple(spec["latent"]))

    def velocity(variables, x, time, labels, augmentation=None):
        if augmentation is None:
            augmentation = unaugmented(spec, x.shape[0])
        return module.apply(variables, x, time, labels, augmentation, train=False)

    def guided(variables, labels):
        """Return (x [n, ...], time, a scalar) -> velocity under guidance."""

        def alone(x, time):
            return velocity(variables, x, jnp.full(x.shape[0], time), labels)

        def both(x, time):
            # Both halves of a row lie beside each other, so that a batch split over devices stays where it is.
            shown = jnp.stack([labels, jnp.full_like(labels, len(spec["classes"]))], axis=1).reshape(-1)
            found = velocity(variables, jnp.repeat(x, 2, axis=0), jnp.full(2 * len(x), time), shown)
            with_label, without = jnp.moveaxis(found.reshape(len(x), 2, *x.shape[1:]), 1, 0)
            return without + sampler.guidance * (with_label - without)

        def within(x, time):
            # Outside of the interval the label's velocity is all that counts, and half of the work.
            acts = (time >= sampler.interval[0]) & (time <= sampler.interval[1])
            return jax.lax.cond(acts, both, alone, x, time)

        if sampler.guidance == 1:
            return alone
        return both if sampler.interval == (0, 1) else within

    def finished(x):
        return jnp.clip(denormalise(x, spec), -1, 1)

    def sample(variables, latents, labels):
        way = guided(variables, labels)
        return finished(ode.integrate(sampler.name, way, latents, sampler.steps, sampler.shift))

    def sample_step(variables, x, i, labels):
        x = ode.step(sampler.name, guided(variables, labels), x, i, sampler.steps, sampler.shift)
        return jnp.where(jnp.asarray(i) == sampler.steps - 1, finished(x), x)

    def velocity_error(variables, images, labels, noise, time):
        data = normalise(conform(images, spec), spec)
        found = velocity(variables, flow.between(noise, data, time), time, labels)
        return flow.velocity_error(found, noise, data)

    return {
        "draw": draw,
        "sample": sample,
        "sample_step": sample_step,
        "velocity": velocity,
        "velocity_error": velocity_error,
    }
