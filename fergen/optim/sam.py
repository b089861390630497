"""Sharpness-aware minimisation.

Foret et al., "Sharpness-Aware Minimization for Efficiently Improving Generalization", ICLR 2021.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

Loss = Callable[..., tuple[jax.Array, Any]]


def sam_gradient(loss: Loss, rho: float) -> Callable[..., tuple[tuple[jax.Array, Any], Any]]:
    """Make the two-pass gradient of a loss, in place of `jax.value_and_grad(loss, has_aux=True)`.

    The first pass finds the worst point of a ball of radius rho to first order, e = rho g / |g| (eq. 2 with p = 2);
    the gradient there, without its dependence on e, is the result (eq. 3). The auxiliary output, in which the new
    batch statistics and the metrics lie, is that of the first pass: statistics at the displaced weights belong to no
    net that is ever used. Both passes get the same other arguments, hence the same dropout.

    Under jit over a mesh the ball is that of the whole batch (m-sharpness with m = batch size).

    Args:
      loss: loss(params, *args) -> (scalar, auxiliary output).
      rho: radius of the ball, 0.05 in most of the paper.

    Returns:
      gradient(params, *args) -> ((loss, auxiliary output), gradient), all values but the gradient from the first pass.
    """
    first_pass = jax.value_and_grad(loss, has_aux=True)
    second_pass = jax.grad(loss, has_aux=True)

    def gradient(params: Any, *args: Any) -> tuple[tuple[jax.Array, Any], Any]:
        value, ascent = first_pass(params, *args)
        # At a stationary point there is no direction; the floor leaves the weights where they are.
        length = rho / jnp.maximum(optax.tree.norm(ascent), 1e-12)
        worst = jax.tree.map(lambda p, g: p + (length * g).astype(p.dtype), params, ascent)
        descent, _ = second_pass(worst, *args)
        return value, descent

    return gradient
