"""The path length regulariser of StyleGAN2."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def path_lengths(
    synthesis: Callable[[Float[Array, "n k d"]], Float[Array, "n h w c"]],
    ws: Float[Array, "n k d"],
    pixels: Float[Array, "n h w c"],
) -> Float[Array, "n"]:
    """Return |J_w^T y|: how far images move, in a random direction of theirs, for a step of the styles.

    Karras et al. 2020 (arXiv:1912.04958), section 3.2: y are images of independent standard normal pixels, scaled by
    1 / sqrt(h w); the norm is taken over a style's entries, the mean square over layers.

    Args:
      synthesis: styles -> images.
      ws: styles of each layer.
      pixels: y before scaling.
    """
    scale = 1 / math.sqrt(pixels.shape[1] * pixels.shape[2])
    gradient = jax.grad(lambda ws: jnp.sum(synthesis(ws) * pixels) * scale)(ws)
    return jnp.sqrt(jnp.square(gradient).sum(2).mean(1))


def path_length_penalty(
    lengths: Float[Array, "n"], mean: Float[Array, ""], decay: float = 0.01
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Return the mean squared distance of lengths to their running mean, and the mean moved by them.

    Karras et al. 2020, eq. 4. As in the reference code the gradient flows through the moved mean too.

    Args:
      lengths: from `path_lengths`.
      mean: their running mean.
      decay: how far it moves towards this batch's.
    """
    moved = mean + decay * (lengths.mean() - mean)
    return jnp.square(lengths - moved).mean(), jax.lax.stop_gradient(moved)
