"""Average pooling to a fixed output size."""

import jax
import jax.numpy as jnp
import numpy as np


def global_average(x: jax.Array) -> jax.Array:
    """Average feature maps [b, h, w, c] over space; returns float32 [b, c]."""
    return jnp.mean(x, axis=(1, 2), dtype=jnp.float32)


def adaptive_average(x: jax.Array, size: tuple[int, int]) -> jax.Array:
    """Average feature maps [b, h, w, c] into a grid of size[0] x size[1] windows, whatever h and w are.

    Window i of n over m pixels covers floor(i m / n) up to ceil((i + 1) m / n), so that windows overlap where m is no
    multiple of n, and repeat pixels where m < n: what networks with a fixed dense layer use for any image size.

    Returns:
        [b, size[0], size[1], c] in the type of x.
    """
    if x.shape[1:3] == tuple(size):
        return x
    rows, columns = (jnp.asarray(_windows(m, n), x.dtype) for m, n in zip(x.shape[1:3], size))
    return jnp.einsum("ih,bhwc,jw->bijc", rows, x, columns)


def _windows(m: int, n: int) -> np.ndarray:
    """Return the averaging matrix [n, m] of one axis; each row sums to 1."""
    start = np.arange(n) * m // n
    stop = -(-(np.arange(n) + 1) * m // n)
    pixel = np.arange(m)
    inside = (pixel >= start[:, None]) & (pixel < stop[:, None])
    return inside / inside.sum(axis=1, keepdims=True)
