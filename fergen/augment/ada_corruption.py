"""The image-space filter and the cutout of the StyleGAN2-ADA pipeline.

Reference: Karras et al., Training Generative Adversarial Networks with Limited Data, 2020, appendix B.2 and B.3.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

# Low-pass decomposition filter of the wavelet sym2; its energy is 1 and its sum sqrt(2).
SYM2 = (-0.12940952255092145, 0.22414386804185735, 0.836516303737469, 0.48296291314469025)
# The power that natural images are expected to have in the four bands, from low to high.
_POWER = np.array([10.0, 1.0, 1.0, 1.0]) / 13.0


def filter_bands(images: Float[Array, "b h w c"], gains: Float[Array, "b 4"]) -> Float[Array, "b h w c"]:
    """Amplify bands of frequency, and weaken all so that the expected power of the image stays.

    Args:
      images: float images.
      gains: binary logarithms of the gains of the four octaves, from low to high; 0 where nothing is applied.

    Returns:
      Filtered images; those whose gains are all 0 come back bit for bit.
    """
    power = jnp.exp2(2 * gains)
    scale = jnp.prod(jnp.sqrt(1 + _POWER * (power - 1)), axis=1, keepdims=True)
    amplitude = (jnp.sqrt(power) / scale).astype(images.dtype)
    rows, columns = (
        jnp.einsum("bk,kyh->byh", amplitude, jnp.asarray(_band_matrices(length), images.dtype), precision="highest")
        for length in images.shape[1:3]
    )
    filtered = jnp.einsum("byh,bhwc,bxw->byxc", rows, images, columns, precision=jax.lax.Precision.HIGHEST)
    return jnp.where((gains != 0).any(axis=1)[:, None, None, None], filtered, images)


def cut_out(images: Float[Array, "b h w c"], places: Float[Array, "b 3"], size: float) -> Float[Array, "b h w c"]:
    """Set a rectangle to 0, mid-gray.

    Args:
      images: float images in [-1, 1].
      places: 1 where a rectangle is cut out, else 0, then its centre (x, y) as a fraction of the sides.
      size: sides of the rectangle as a fraction of those of the image.

    Returns:
      Images with a hole; a rectangle that leaves the image is cropped.
    """
    height, width = images.shape[1:3]
    across = jnp.abs((jnp.arange(width) + 0.5) / width - places[:, 1:2]) < size / 2
    down = jnp.abs((jnp.arange(height) + 0.5) / height - places[:, 2:3]) < size / 2
    hole = (places[:, :1, None] != 0) & down[:, :, None] & across[:, None, :]
    return jnp.where(hole[..., None], 0, images)


def bands() -> np.ndarray:
    """Build the bank of filters [4, 43] whose rows pass one octave each and add up to the identity."""
    low = np.array(SYM2)
    high = low * (-1.0) ** np.arange(len(low))
    low_twice, high_twice = (np.convolve(taps, taps[::-1]) / 2 for taps in (low, high))
    bank = np.zeros((4, 1))
    bank[0] = 1
    for octave in range(1, 4):
        spread = np.zeros((4, 2 * bank.shape[1] - 1))
        spread[:, ::2] = bank
        bank = np.stack([np.convolve(row, low_twice) for row in spread])
        start = (bank.shape[1] - len(high_twice)) // 2
        bank[octave, start : start + len(high_twice)] += high_twice
    return bank


def _band_matrices(length: int) -> np.ndarray:
    """Make the matrices [4, n, n] that mirror an axis outwards and pass one band."""
    bank = bands()
    reach = bank.shape[1] // 2
    wide = np.pad(np.eye(length), ((reach, reach), (0, 0)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(wide, bank.shape[1], axis=0)
    return np.einsum("nmt,kt->knm", windows, bank)
