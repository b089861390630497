"""Flow matching on straight paths: where a path is at a time, how it moves, and at which times to look.

A path leads from noise e ~ N(0, I) at t = 0 to data x at t = 1: x_t = t x + (1 - t) e, with velocity x - e. The
function of (x_t, t) closest to that velocity in mean square is its expectation, and following it carries noise to data:
Lipman et al. 2023 (arXiv:2210.02747), theorem 2; Liu et al. 2023 (arXiv:2209.03003), eq. 1 and theorem 3.3.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key


def times(key: Key[Array, ""], n: int, *, mean: float = 0.0, std: float = 1.0) -> Float[Array, "n"]:
    """Draw times in [0, 1] whose logit is normal: Esser et al. 2024 (arXiv:2403.03206), eq. 19, with 1 - t for t.

    The logit is minus the log of the ratio of noise to data, whose mean and standard deviation Karras et al. 2022
    (arXiv:2206.00364), table 1, choose for data of standard deviation 0.5: -1.2 + log 2 and 1.2 for data of 1.

    One uniform number shifts a regular grid of quantiles, so that each batch covers all times evenly and the loss
    varies less: Kingma et al. 2021 (arXiv:2107.00630), appendix I.1. Each time by itself has that distribution.

    Args:
      key: random key.
      n: how many.
      mean: of the logit; above 0 nearer to the data.
      std: of the logit.
    """
    quantile = (jax.random.uniform(key) + jnp.arange(n) / n) % 1.0
    return jax.nn.sigmoid(mean + std * jax.scipy.special.ndtri(quantile))


def between(noise: Float[Array, "b *d"], data: Float[Array, "b *d"], time: Float[Array, "b"]) -> Float[Array, "b *d"]:
    """Return x_t = t x + (1 - t) e of every row."""
    t = rows_of(time, data)
    return t * data + (1 - t) * noise


def velocity_error(
    velocity: Float[Array, "b *d"], noise: Float[Array, "b *d"], data: Float[Array, "b *d"]
) -> Float[Array, "b"]:
    """Return the mean square over a row's entries of what a velocity lacks to x - e.

    Lipman et al. 2023, eq. 23 with sigma_min = 0; Liu et al. 2023, eq. 1.
    """
    square = jnp.square(velocity - (data - noise))
    return square.mean(axis=tuple(range(1, square.ndim)))


def arrival(x: Float[Array, "b *d"], velocity: Float[Array, "b *d"], time: Float[Array, "b"]) -> Float[Array, "b *d"]:
    """Return where each row arrives at t = 1 if it keeps its velocity: x_t + (1 - t) v.

    Of the best velocity that is the expectation of the data given x_t.
    """
    return x + (1 - rows_of(time, x)) * velocity


def rows_of(values: Float[Array, "b"], like: Array) -> Array:
    """Give values of rows as many axes as an array has."""
    return values.reshape(-1, *[1] * (like.ndim - 1))
