"""Convolutions whose input channels a style scales: the layers of StyleGAN2's synthesis network.

Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN" (arXiv:1912.04958), section 2.2. A style
scales the kernel's input channels (eq. 1), and demodulation divides each output channel by the norm of its scaled
kernel (eq. 3). Both are done to the activations instead, so that one kernel serves the whole batch.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from fergen.nn.conv_resample import conv_resampled
from fergen.nn.equalized import Dense, finish


def modulated_conv(
    x: jax.Array,
    kernel: jax.Array,
    styles: jax.Array,
    taps: np.ndarray,
    *,
    demodulate: bool = True,
    noise: jax.Array | None = None,
    up: int = 1,
    down: int = 1,
    padding: int = 0,
    flip: bool = False,
) -> jax.Array:
    """Convolve each image with its own scaled kernel.

    Args:
        x: images [n, h, w, i], in half precision if wanted.
        kernel: float32 [k, k, i, o].
        styles: float32 [n, i].
        taps: see `conv_resampled`, and so `up`, `down`, `padding` and `flip`.
        demodulate: whether output channels are brought to unit variance.
        noise: added to the result; broadcasts to it.

    Returns:
        [n, h', w', o], of the type of x.
    """
    if x.dtype == jnp.float16 and demodulate:
        # Numbers whose squares leave the range of half precision; demodulation takes the factors out again.
        largest = jnp.max(jnp.abs(kernel), axis=(0, 1, 2))
        kernel = kernel / (math.sqrt(math.prod(kernel.shape[:3])) * largest)
        styles = styles / jnp.max(jnp.abs(styles), axis=1, keepdims=True)
    y = conv_resampled(
        x * styles[:, None, None].astype(x.dtype),
        kernel.astype(x.dtype),
        taps,
        up=up,
        down=down,
        padding=padding,
        flip=flip,
    )
    if demodulate:
        energy = jnp.square(styles) @ jnp.square(kernel).sum((0, 1))
        y = y * jax.lax.rsqrt(energy + 1e-8)[:, None, None].astype(x.dtype)
    return y if noise is None else y + noise.astype(x.dtype)


class SynthesisLayer(nn.Module):
    """A modulated 3x3 convolution, noise, bias, activation.

    Parameters: `affine`, `kernel`, `bias` and, with noise, `noise_strength`; in the collection `buffers` the constant
    noise, `noise_const` [h, w].

    Attributes:
        features: output channels.
        size: height and width of the result.
        taps: of the filter by which the resolution doubles.
        up: 2 doubles it.
        use_noise: whether there is any.
        activation: see `fergen.nn.activation`.
        clamp: bound of the result's size, before `gain`; None for none.
        gain: of the result.
    """

    features: int
    size: int
    taps: Any
    up: int = 1
    use_noise: bool = True
    activation: str = "lrelu"
    clamp: float | None = None
    gain: float = 1.0

    @nn.compact
    def __call__(self, x: jax.Array, w: jax.Array, noise: jax.Array | str) -> jax.Array:
        """Return [n, size, size, features] for x [n, h, w, i].

        Args:
            x: images.
            w: the style, float32 [n, d].
            noise: "const" for the layer's own, "none", or standard normal numbers [n, size, size, 1].
        """
        styles = Dense(x.shape[-1], bias=1.0, name="affine")(w)
        kernel = self.param("kernel", nn.initializers.normal(1.0), (3, 3, x.shape[-1], self.features))
        if self.use_noise:
            strength = self.param("noise_strength", nn.initializers.zeros_init(), ())
            own = self.variable("buffers", "noise_const", self.draw)
        added = None
        if self.use_noise and not (isinstance(noise, str) and noise == "none"):
            given = own.value[None, ..., None] if isinstance(noise, str) else noise
            added = given * strength
        x = modulated_conv(x, kernel, styles, self.taps, noise=added, up=self.up, padding=1, flip=self.up == 2)
        x = x + self.param("bias", nn.initializers.zeros_init(), (self.features,)).astype(x.dtype)
        return finish(x, self.activation, self.gain, self.clamp)

    def draw(self) -> jax.Array:
        """Draw the constant noise."""
        return jax.random.normal(self.make_rng("params"), (self.size, self.size))


class ToRGB(nn.Module):
    """A modulated 1x1 convolution to the channels of images, without demodulation.

    Attributes:
        channels: of images.
        clamp: bound of the result's size; None for none.
    """

    channels: int
    clamp: float | None = None

    @nn.compact
    def __call__(self, x: jax.Array, w: jax.Array) -> jax.Array:
        """Return [n, h, w, channels] for feature maps x and styles w [n, d]."""
        styles = Dense(x.shape[-1], bias=1.0, name="affine")(w) / math.sqrt(x.shape[-1])
        kernel = self.param("kernel", nn.initializers.normal(1.0), (1, 1, x.shape[-1], self.channels))
        x = modulated_conv(x, kernel, styles, np.ones(1), demodulate=False)
        x = x + self.param("bias", nn.initializers.zeros_init(), (self.channels,)).astype(x.dtype)
        return finish(x, "linear", 1.0, self.clamp)
