"""The augmentation pipeline of StyleGAN2-ADA: what is drawn, what is applied, and labels that say what was applied.

Every operation is drawn for every image and then passes a gate with a chance of p times the operation's multiplier.
Drawing is apart from computing, so that recorded draws can be replayed; p may be traced, and nothing is compiled
again when it changes. An image that no operation reaches comes back bit for bit, and at p = 0 nothing is computed.

Reference: Karras et al., Training Generative Adversarial Networks with Limited Data, 2020, appendix B; for the labels
Karras et al., Elucidating the Design Space of Diffusion-Based Generative Models, 2022, appendix F.2.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from fergen.augment import ada_colour, ada_corruption, ada_geometry
from fergen.augment.ada_geometry import Margins
from fergen.augment.ada_settings import Settings
from fergen.core.keys import named


class Op(NamedTuple):
    """What one operation draws per image, and the columns that it has among the labels."""

    normal: bool
    values: int
    gates: int
    labels: int


class Draw(NamedTuple):
    """Numbers of one operation: uniform in [0, 1) or standard normal values, and uniform numbers for its gates."""

    value: Float[Array, "b k"]
    gate: Float[Array, "b g"]


class Draws(NamedTuple):
    """Everything that is random in one call: numbers by operation, and standard normal pixels if there is noise."""

    ops: dict[str, Draw]
    pixels: Float[Array, "b h w c"] | None = None


# In the order of the paper, which is the order in which they act and that of the labels' columns.
OPS = {
    "xflip": Op(normal=False, values=1, gates=1, labels=1),
    "rotate90": Op(normal=False, values=1, gates=1, labels=2),
    "xint": Op(normal=False, values=2, gates=1, labels=2),
    "scale": Op(normal=True, values=1, gates=1, labels=1),
    "rotate_before": Op(normal=False, values=1, gates=1, labels=2),
    "aniso": Op(normal=True, values=1, gates=1, labels=1),
    "rotate_after": Op(normal=False, values=1, gates=1, labels=2),
    "xfrac": Op(normal=True, values=2, gates=1, labels=2),
    "brightness": Op(normal=True, values=1, gates=1, labels=1),
    "contrast": Op(normal=True, values=1, gates=1, labels=1),
    "lumaflip": Op(normal=False, values=1, gates=1, labels=1),
    "hue": Op(normal=False, values=1, gates=1, labels=2),
    "saturation": Op(normal=True, values=1, gates=1, labels=1),
    "imgfilter": Op(normal=True, values=4, gates=4, labels=4),
    "noise": Op(normal=True, values=1, gates=1, labels=1),
    "cutout": Op(normal=False, values=2, gates=1, labels=3),
}
_COLOURED = ("hue", "saturation")  # what an image of one channel cannot show


def label_size(settings: Settings, channels: int) -> int:
    """Count the columns of the augmentation labels."""
    return sum(OPS[name].labels for name in _active(settings, channels))


def draw(key: Key[Array, ""], shape: tuple[int, ...], settings: Settings) -> Draws:
    """Draw the random numbers of a batch.

    Args:
      key: random key.
      shape: of the images, [b, h, w, c].
      settings: what may be applied. An operation that is turned on or off leaves the numbers of the others alone.

    Returns:
      Float32 numbers for `apply`; those of a row do not depend on how many rows there are.
    """
    # Two calls for all operations: the random generator takes most of the compile time on a CPU.
    uniforms = sum(op.gates + (0 if op.normal else op.values) for op in OPS.values())
    normals = sum(op.values for op in OPS.values() if op.normal)
    uniform = jax.random.uniform(named(key, "uniform"), (shape[0], uniforms))
    normal = jax.random.normal(named(key, "normal"), (shape[0], normals))
    ops = {}
    for name, op in OPS.items():
        gate, uniform = uniform[:, : op.gates], uniform[:, op.gates :]
        if op.normal:
            value, normal = normal[:, : op.values], normal[:, op.values :]
        else:
            value, uniform = uniform[:, : op.values], uniform[:, op.values :]
        ops[name] = Draw(value, gate)
    pixels = jax.random.normal(named(key, "pixels"), shape) if settings.noise else None
    return Draws({name: ops[name] for name in _active(settings, shape[-1])}, pixels)


def apply(
    images: Float[Array, "b h w c"],
    draws: Draws,
    p: Float[Array, ""] | float,
    settings: Settings,
    *,
    margins: Margins | None = None,
) -> tuple[Float[Array, "b h w c"], Float[Array, "b d"]]:
    """Augment images with given random numbers. Differentiable, any number of times, with respect to the images.

    Args:
      images: float images in [-1, 1] of one or three channels.
      draws: from `draw`, or recorded.
      p: strength of the augmentation, at least 0.
      settings: what may be applied.
      margins: None in use. For comparison with the reference code, which pads by what its batch happens to need: the
        result of `exact_margins`.

    Returns:
      Images, which colour operations may take out of [-1, 1], and labels [b, label_size]: for every operation the
      standardised parameter that was applied, for angles cosine - 1 and sine, and 0 where it was not applied.
    """
    numbers = _applied(draws, p, settings, images.shape)
    dtype = images.dtype

    # Remembering the images alone: else the gradient at p = 0 would still move what the other branch remembers.
    @jax.checkpoint
    def change(images: jax.Array) -> jax.Array:
        images = images.astype(jnp.promote_types(dtype, jnp.float32))
        if any(name in numbers for name in ada_geometry.OPS):
            images = ada_geometry.move(images, numbers, settings, margins=margins)
        if any(name in numbers for name in ada_colour.OPS):
            images = ada_colour.recolour(images, numbers, settings)
        if "imgfilter" in numbers:
            images = ada_corruption.filter_bands(images, settings.imgfilter_std * numbers["imgfilter"])
        if draws.pixels is not None:
            images = images + settings.noise_std * numbers["noise"][:, :, None, None] * draws.pixels
        if "cutout" in numbers:
            images = ada_corruption.cut_out(images, numbers["cutout"], settings.cutout_size)
        return images.astype(dtype)

    changed = jax.lax.cond(jnp.asarray(p) > 0, change, lambda images: images, images)
    return changed, _labels(numbers, settings, images)


def augment(
    key: Key[Array, ""], images: Float[Array, "b h w c"], p: Float[Array, ""] | float, settings: Settings
) -> tuple[Float[Array, "b h w c"], Float[Array, "b d"]]:
    """Augment images: `apply` with the numbers of `draw`, whose arguments and results it has."""
    return apply(images, draw(key, images.shape, settings), p, settings)


def exact_margins(draws: Draws, p: float, settings: Settings, shape: tuple[int, ...]) -> Margins:
    """Find the padding that the reference code would choose for a batch; not for use inside jit.

    Args:
      draws: numbers of the batch.
      p: strength of the augmentation.
      settings: what may be applied.
      shape: of the images, [b, h, w, c].

    Returns:
      Pixels on the left, on top, on the right and at the bottom.
    """
    matrix = ada_geometry.inverse(_applied(draws, p, settings, shape), settings, (shape[1], shape[2]))
    return ada_geometry.margins_of(matrix, (shape[1], shape[2]))


def _multiplier(name: str, settings: Settings) -> float:
    return settings.rotate if name in ("rotate_before", "rotate_after") else getattr(settings, name)


def _active(settings: Settings, channels: int) -> list[str]:
    """List the operations that can reach images of so many channels."""
    return [name for name in OPS if _multiplier(name, settings) and (channels > 1 or name not in _COLOURED)]


def _applied(
    draws: Draws, p: Float[Array, ""] | float, settings: Settings, shape: tuple[int, ...]
) -> dict[str, Float[Array, "b k"]]:
    """Turn draws into the parameters of the operations, 0 where a gate is closed: turns, pixels, angles, deviations."""
    size = jnp.array([shape[2], shape[1]])
    numbers = {}
    for name in _active(settings, shape[-1]):
        value, gate = draws.ops[name]
        chance = jnp.asarray(p) * _multiplier(name, settings)
        if name in ("xflip", "lumaflip"):
            value = jnp.floor(2 * value)
        elif name == "rotate90":
            value = jnp.floor(4 * value)
        elif name == "xint":
            value = jnp.round((2 * value - 1) * settings.xint_max * size)
        elif name in ("rotate_before", "rotate_after"):
            value = (2 * value - 1) * (math.pi * settings.rotate_max)
            chance = 1 - jnp.sqrt(1 - jnp.clip(chance, 0, 1))  # of the two together: chance
        elif name == "hue":
            value = (2 * value - 1) * (math.pi * settings.hue_max)
        elif name == "imgfilter":
            chance = chance * jnp.array(settings.imgfilter_bands)
        elif name == "noise":
            value = jnp.abs(value)
        elif name == "cutout":
            value = jnp.concatenate([jnp.ones_like(gate), value], axis=1)
        numbers[name] = jnp.where(gate < chance, value, 0)
    return numbers


def _labels(numbers: dict[str, Float[Array, "b k"]], settings: Settings, images: Array) -> Float[Array, "b d"]:
    """Write what was applied as numbers of about unit size in which equal turns are equal."""
    columns = [jnp.zeros((images.shape[0], 0), jnp.float32)]
    for name, number in numbers.items():
        if name == "xint":
            number = number / (jnp.array([images.shape[2], images.shape[1]]) * max(settings.xint_max, 1e-8))
        elif OPS[name].labels == 2 * OPS[name].values:
            angle = number * (math.pi / 2) if name == "rotate90" else number
            number = jnp.concatenate([jnp.cos(angle) - 1, jnp.sin(angle)], axis=1)
        columns.append(number.astype(jnp.float32))
    return jnp.concatenate(columns, axis=1)
