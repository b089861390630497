"""StyleGAN2's networks as their spec describes them: variables, and what they predict."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from fergen.core import fields
from fergen.core.errors import BadInput
from fergen.core.keys import named
from fergen.models.stylegan2 import Networks, truncated
from fergen.tasks.classifier import conform
from fergen.tasks.gan_nets import by_collection
from fergen.tasks.network import image_of, network_of

NETS = ("generator", "discriminator")
CENTRES = ("all", "class")
NOISES = ("const", "none")


@dataclasses.dataclass(frozen=True)
class Sampler:
    """How styles are drawn: the fields of `spec["sampler"]`.

    Attributes:
        truncation: psi of `fergen.models.stylegan2.truncated`.
        cutoff: layers that it acts on, from the first; 0 for all.
        centre: the mean style of all faces, "all", or of the label's class, "class".
        noise: "const", each layer's own, or "none".
    """

    truncation: float
    cutoff: int
    centre: str
    noise: str


def sampler_of(spec: Mapping[str, Any]) -> Sampler:
    """Check a spec's sampler and return it.

    Raises:
        BadInput: a field is missing, unknown or out of range.
    """
    given, known = spec.get("sampler", {}), [field.name for field in dataclasses.fields(Sampler)]
    fields.require_exact("sampler", given, known)
    for name, choices in (("centre", CENTRES), ("noise", NOISES)):
        if given[name] not in choices:
            raise BadInput(f"sampler.{name}: expected one of {', '.join(choices)}, found {given[name]!r}")
    return Sampler(
        truncation=fields.number("sampler.truncation", given["truncation"], -2),
        cutoff=fields.whole("sampler.cutoff", given["cutoff"], 0),
        centre=given["centre"],
        noise=given["noise"],
    )


def networks_of(spec: Mapping[str, Any]) -> Networks:
    """Build the networks that a spec describes; raises as `network_of`."""
    classes = spec["classes"] if spec["conditional"] else []
    return network_of({**spec, "classes": classes}, image=image_of(spec))


def initial(spec: Mapping[str, Any], key: jax.Array) -> dict[str, dict[str, Any]]:
    """Draw the variables of the spec's nets: net -> collection -> tree."""
    networks = networks_of(spec)
    z, labels = jnp.zeros((1, networks.mapping.z)), jnp.zeros((1, networks.mapping.classes))
    styles = jnp.zeros((1, networks.synthesis.layout.styles, networks.mapping.w))
    mapping = networks.mapping.init(named(key, "mapping"), z, labels)
    synthesis = networks.synthesis.init(named(key, "synthesis"), styles)
    kinds = sorted({*mapping, *synthesis})
    parts = {"mapping": mapping, "synthesis": synthesis}
    generator = {kind: {name: part[kind] for name, part in parts.items() if kind in part} for kind in kinds}
    images = jnp.zeros((1, *image_of(spec)))
    return {
        "generator": generator,
        "discriminator": dict(networks.discriminator.init(named(key, "discriminator"), images, labels)),
    }


def part(variables: Mapping[str, Any], *path: str) -> dict[str, Any]:
    """Return the variables of a part of a tree, by collection: those under `path` in each that has it."""
    found = {}
    for kind, tree in variables.items():
        for name in path:
            tree = tree.get(name) if tree is not None else None
        if tree is not None:
            found[kind] = tree
    return found


def shapes_of(spec: Mapping[str, Any]) -> Any:
    """Return the shapes and types of the weights that a spec describes."""
    shapes = jax.eval_shape(lambda key: initial(spec, key), jax.random.key(0))
    return by_collection({name: shapes[name] for name in spec["nets"]})


def encoded(labels: jax.Array, classes: int) -> jax.Array:
    """Return labels [n, classes] as networks take them: whole numbers become vectors of 0 and 1, vectors stay."""
    if jnp.issubdtype(labels.dtype, jnp.integer) and labels.ndim == 1:
        return jax.nn.one_hot(labels, classes)
    return labels


def predict_of(spec: Mapping[str, Any]) -> dict[str, Callable]:
    """Return the pure functions of a trained StyleGAN2.

    Labels are int32 [n], or float32 [n, classes] where a face is to be between classes.

    `draw(key)`: -> the latent of one sample, float32 [z].
    `styles(variables, latents, labels)`: -> styles float32 [n, layers, w], truncated as the sampler says.
    `synthesise(variables, styles, noise=None)`: -> images float32 [n, h, w, c], near [-1, 1]; noise as `Synthesis`
    takes it, by default the sampler's.
    `sample(variables, latents, labels)`: -> images float32 [n, h, w, c] in [-1, 1].
    `critic(variables, images, labels)`: images uint8 or float32 [-1, 1], [n, h, w, c] of any size -> logits float32
    [n]; where the weights hold the discriminator.

    Raises:
        BadInput: the sampler or the model is not one.
    """
    networks, sampler = networks_of(spec), sampler_of(spec)
    classes = networks.mapping.classes

    def draw(key):
        return jax.random.normal(key, tuple(spec["latent"]))

    def styles(variables, latents, labels):
        labels = encoded(labels, classes)[:, :classes] if classes else jnp.zeros((latents.shape[0], 0))
        own = part(variables, "generator", "mapping")
        w = networks.mapping.apply({"params": own["params"]}, latents, labels)
        ws = jnp.repeat(w[:, None], networks.synthesis.layout.styles, axis=1)
        if sampler.truncation == 1:
            return ws
        averages = own["buffers"]
        by_class = sampler.centre == "class" and classes
        centre = labels @ averages["w_avg_class"] if by_class else averages["w_avg"]
        return truncated(ws, centre, sampler.truncation, sampler.cutoff or None)

    def synthesise(variables, ws, noise=None):
        own = part(variables, "generator", "synthesis")
        return networks.synthesis.apply(own, ws, sampler.noise if noise is None else noise)

    def sample(variables, latents, labels):
        return synthesise(variables, styles(variables, latents, labels)).clip(-1, 1)

    def critic(variables, images, labels):
        own = part(variables, "discriminator")
        return networks.discriminator.apply(own, conform(images, spec), encoded(labels, classes))

    found = {"draw": draw, "styles": styles, "synthesise": synthesise, "sample": sample}
    return {**found, **({"critic": critic} if "discriminator" in spec["nets"] else {})}
