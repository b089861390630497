"""Integration of dx/dt = v(x, t) from t = 0 (noise) to t = 1 (data) in a fixed number of steps, Euler's way or Heun's.

The steps are functions of their number, so that a caller may loop inside a compiled call (`integrate`) or call a
compiled step: XLA's CPU backend runs the body of a loop on one core.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

SOLVERS = ("euler", "heun")

# (x [n, ...], time, a scalar) -> dx/dt, of the shape of x.
Velocity = Callable[[jax.Array, jax.Array], jax.Array]


def time_of(i: jax.typing.ArrayLike, steps: int, shift: float = 1.0) -> Float[Array, ""]:
    """Return the time at which step i begins: 0 for i = 0, 1 for i = steps.

    In terms of the share of noise s = 1 - t, a uniform grid is moved to shift s / (1 + (shift - 1) s): Esser et al.
    2024 (arXiv:2403.03206), eq. 23, whose t is the s here.

    Args:
      i: number of the step, possibly traced.
      steps: of the whole way.
      shift: 1 for steps of equal length; above 1 they are shorter near the noise, below 1 near the data.
    """
    left = 1 - jnp.asarray(i, jnp.float32) / steps
    return 1 - shift * left / (1 + (shift - 1) * left)


def step(
    solver: str, velocity: Velocity, x: Float[Array, "..."], i: jax.typing.ArrayLike, steps: int, shift: float = 1.0
) -> Float[Array, "..."]:
    """Take step i of `steps`.

    The last step is Euler's for both solvers. The velocity at t = 1 exactly says nothing of the noise that is left, so
    that the mean with it would keep half of that step's noise; one first-order step leaves Heun's method of second
    order. Karras et al. 2022 (arXiv:2206.00364), algorithm 1, ends in the same way.

    Args:
      solver: euler or heun, with one or two evaluations of the velocity.
      velocity: dx/dt.
      x: where the step begins.
      i: number of the step, from 0, possibly traced.
      steps: of the whole way.
      shift: see `time_of`.

    Returns:
      x where the step ends.
    """
    now, then = time_of(i, steps, shift), time_of(jnp.asarray(i) + 1, steps, shift)
    h = then - now
    first = velocity(x, now)
    ahead = x + h * first
    if solver == "euler" or steps == 1:
        return ahead
    last = jnp.asarray(i) == steps - 1
    # The second evaluation of the last step is thrown away; its time is kept off the end, where nothing was learned.
    second = velocity(ahead, jnp.where(last, now, then))
    return jnp.where(last, ahead, x + h / 2 * (first + second))


def integrate(
    solver: str, velocity: Velocity, x: Float[Array, "..."], steps: int, shift: float = 1.0
) -> Float[Array, "..."]:
    """Take all steps inside one loop: x at t = 0 to x at t = 1; arguments as in `step`."""
    return jax.lax.fori_loop(0, steps, lambda i, x: step(solver, velocity, x, i, steps, shift), x)
