"""Activations with the gain that keeps the variance of what passes them, and a bound, as StyleGAN2 uses them."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp

SQRT2 = math.sqrt(2)

# Name -> (function, gain). Karras et al. 2020 (arXiv:1912.04958), appendix B: sqrt(2) restores what a rectifier takes.
ACTIVATIONS: dict[str, tuple[Callable[[jax.Array], jax.Array], float]] = {
    "linear": (lambda x: x, 1.0),
    "relu": (jax.nn.relu, SQRT2),
    "lrelu": (lambda x: jnp.where(x < 0, 0.2 * x, x), SQRT2),
    "tanh": (jnp.tanh, 1.0),
    "sigmoid": (jax.nn.sigmoid, 1.0),
    "elu": (jax.nn.elu, 1.0),
    "selu": (jax.nn.selu, 1.0),
    "softplus": (jax.nn.softplus, 1.0),
    "swish": (jax.nn.swish, SQRT2),
}


def activate(x: jax.Array, name: str, *, gain: float | None = None, clamp: float | None = None) -> jax.Array:
    """Apply an activation, multiply by its gain, and clip.

    Args:
        x: of any shape; a bias is added before.
        name: one of `ACTIVATIONS`.
        gain: instead of the activation's own.
        clamp: bound of the result's size; None for none.
    """
    function, own = ACTIVATIONS[name]
    gain = own if gain is None else gain
    x = function(x)
    if gain != 1:
        x = x * jnp.asarray(gain, x.dtype)
    return x if clamp is None else jnp.clip(x, -clamp, clamp)
