"""Random changes of light and colour, one draw per image."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

# ITU-R BT.601 luma, the weights that PIL and torchvision use for gray.
_LUMA = (0.299, 0.587, 0.114)


def random_colour(
    key: Key[Array, ""],
    images: Float[Array, "b h w c"],
    *,
    brightness: float = 0.0,
    contrast: float = 0.0,
    gamma: float = 0.0,
    saturation: float = 0.0,
) -> Float[Array, "b h w c"]:
    """Change brightness, contrast, gamma and saturation of every image.

    Args:
      key: random key.
      images: float images in [-1, 1].
      brightness: largest shift to either side as a fraction of the range from black to white.
      contrast: the distance from the image's own mean is multiplied by a factor from 1 - contrast to 1 + contrast.
      gamma: the exponent of the light in [0, 1] is drawn log-uniformly from 1 / (1 + gamma) to 1 + gamma.
      saturation: the distance from the pixel's own gray is multiplied by a factor from 1 - saturation to
        1 + saturation. Images that have not three channels have no colour and stay as they are.

    Returns:
      Images clipped to [-1, 1].
    """
    draws = 2.0 * jax.random.uniform(key, (4, images.shape[0], 1, 1, 1)) - 1.0
    if gamma:
        light = jnp.clip(0.5 * images + 0.5, 0.0, 1.0)
        images = 2.0 * light ** jnp.exp(draws[2] * jnp.log1p(gamma)) - 1.0
    if contrast:
        mean = images.mean(axis=(1, 2, 3), keepdims=True)
        images = mean + (images - mean) * (1.0 + contrast * draws[1])
    if saturation and images.shape[-1] == 3:
        # As a matrix product: a sum would be fused with what made the images, and XLA would make them three times over.
        luma = jnp.array(_LUMA, images.dtype)[:, None]
        gray = jnp.matmul(images.reshape(-1, 3), luma, precision="highest").reshape(*images.shape[:-1], 1)
        images = gray + (images - gray) * (1.0 + saturation * draws[3])
    if brightness:
        images = images + 2.0 * brightness * draws[0]
    return jnp.clip(images, -1.0, 1.0)


def random_noise(key: Key[Array, ""], images: Float[Array, "b h w c"], *, deviation: float) -> Float[Array, "b h w c"]:
    """Add Gaussian pixel noise whose strength differs from image to image.

    Args:
      key: random key.
      images: float images in [-1, 1].
      deviation: greatest standard deviation as a fraction of the range from black to white; each image draws its own
        uniformly between none and this.

    Returns:
      Images clipped to [-1, 1].
    """
    strength_key, noise_key = jax.random.split(key)
    strength = jax.random.uniform(strength_key, (images.shape[0], 1, 1, 1), maxval=2.0 * deviation)
    return jnp.clip(images + strength * jax.random.normal(noise_key, images.shape), -1.0, 1.0)
