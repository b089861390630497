"""The colour part of the StyleGAN2-ADA pipeline: one affine map of the colours per image.

All five operations keep the axis of grays and turn or stretch the plane across it, so their product has a closed form:
a gain for the lightness, a gain and an angle for the colour, and an offset along the axis.

Reference: Karras et al., Training Generative Adversarial Networks with Limited Data, 2020, appendix B.2.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fergen.augment.ada_settings import Settings

OPS = ("brightness", "contrast", "lumaflip", "hue", "saturation")

_GRAY = np.full((3, 3), 1 / 3)  # projection on the axis of grays
_TURN = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)  # cross product with its direction


def recolour(
    images: Float[Array, "b h w c"], numbers: dict[str, Float[Array, "b k"]], settings: Settings
) -> Float[Array, "b h w c"]:
    """Change brightness, contrast, lightness, hue and saturation of images, in this order.

    Args:
      images: float images in [-1, 1] of one or three channels.
      numbers: parameters by operation, 0 where it is not applied: standard deviations, flipped or not for lumaflip,
        and the angle of the hue in radians.
      settings: how strong a standard deviation is.

    Returns:
      Images that may leave [-1, 1]; those that nothing is applied to come back bit for bit. An image of one channel
      has lightness alone, which changes as the mean of three equal channels would.
    """
    number = {name: numbers[name][:, 0] if name in numbers else jnp.zeros(images.shape[0]) for name in OPS}
    contrast = jnp.exp2(settings.contrast_std * number["contrast"])
    lightness = contrast * (1 - 2 * number["lumaflip"])
    offset = (lightness * settings.brightness_std * number["brightness"])[:, None, None, None]
    if images.shape[-1] == 1:
        return (images * lightness[:, None, None, None] + offset).astype(images.dtype)
    gain = contrast * jnp.exp2(settings.saturation_std * number["saturation"])
    along, across = gain * jnp.cos(number["hue"]), gain * jnp.sin(number["hue"])
    # As a distance from the identity, so that neutral numbers give it without rounding.
    parts = jnp.stack([lightness - 1, along - 1, across], axis=1)
    basis = jnp.array([_GRAY, np.eye(3) - _GRAY, _TURN], parts.dtype)
    matrix = jnp.eye(3) + (parts[:, :, None, None] * basis).sum(1)
    highest = jax.lax.Precision.HIGHEST
    flat = jnp.einsum("bnc,bdc->bnd", images.reshape(images.shape[0], -1, 3), matrix, precision=highest)
    return (flat.reshape(images.shape) + offset).astype(images.dtype)
