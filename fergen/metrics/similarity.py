"""How alike two images are, pixel by pixel and by structure; inside jit, and differentiable.

Wang, Bovik, Sheikh and Simoncelli (2004), Image Quality Assessment: From Error Visibility to Structural Similarity.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

WINDOW = 11  # pixels
SIGMA = 1.5  # pixels
K1, K2 = 0.01, 0.03
RANGE = 2.0  # of images in [-1, 1]


def mse(a: Float[Array, "b h w c"], b: Float[Array, "b h w c"]) -> Float[Array, "b"]:
    """Average the squared difference over each image's pixels and channels: images in [-1, 1] -> [0, 4]."""
    return jnp.square(a - b).mean((1, 2, 3))


def ssim(a: Float[Array, "b h w c"], b: Float[Array, "b h w c"]) -> Float[Array, "b"]:
    """Measure structural similarity in Gaussian windows of 11 pixels (Wang et al., equations 13 to 17).

    Args:
      a: images float [b, h, w, c] in [-1, 1], at least 11 pixels a side.
      b: likewise.

    Returns:
      float [b] in [-1, 1], 1 for equal images: the mean over channels and over the windows that lie inside the image.
    """
    if min(a.shape[1:3]) < WINDOW:
        raise ValueError(f"expected images of at least {WINDOW} pixels a side, found {a.shape[1]}x{a.shape[2]}")
    mean_a, mean_b = _windowed(a), _windowed(b)
    variance_a = _windowed(a * a) - mean_a**2
    variance_b = _windowed(b * b) - mean_b**2
    covariance = _windowed(a * b) - mean_a * mean_b
    c1, c2 = (K1 * RANGE) ** 2, (K2 * RANGE) ** 2
    luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    structure = (2 * covariance + c2) / (variance_a + variance_b + c2)
    return (luminance * structure).mean((1, 2, 3))


def _windowed(x: jax.Array) -> jax.Array:
    """Average over a Gaussian window round each pixel [b, h, w, c] -> [b, h - 10, w - 10, c], an axis at a time."""
    offsets = np.arange(WINDOW) - WINDOW // 2
    weights = np.exp(-0.5 * np.square(offsets / SIGMA))
    weights /= weights.sum()
    height, width = x.shape[1] - WINDOW + 1, x.shape[2] - WINDOW + 1
    rows = sum(w * x[:, i : i + height] for i, w in enumerate(weights))
    return sum(w * rows[:, :, i : i + width] for i, w in enumerate(weights))
