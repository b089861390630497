"""Layers with an equalised learning rate: weights are drawn from N(0, 1) and scaled where they are used.

So Adam's steps, which are of one size whatever the gradient's, change all of them at the same rate (Karras et al. 2018,
arXiv:1710.10196, section 4.1). A multiplier below 1 makes a layer learn that much more slowly: its weights are stored
larger and used smaller.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from fergen.nn.activation import ACTIVATIONS, activate
from fergen.nn.conv_resample import conv_resampled


class Dense(nn.Module):
    """Multiply [n, i] by a kernel [i, o] / sqrt(i), add a bias, activate.

    Attributes:
        features: o.
        activation: see `fergen.nn.activation`.
        rate: multiplier of the learning rate.
        bias: its initial value.
    """

    features: int
    activation: str = "linear"
    rate: float = 1.0
    bias: float = 0.0

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Return [n, o], of the type of x."""
        kernel = self.param("kernel", nn.initializers.normal(1 / self.rate), (x.shape[-1], self.features))
        bias = self.param("bias", nn.initializers.constant(self.bias), (self.features,))
        scale = jnp.asarray(self.rate / math.sqrt(x.shape[-1]), x.dtype)
        y = x @ (kernel.astype(x.dtype) * scale) + bias.astype(x.dtype) * jnp.asarray(self.rate, x.dtype)
        return activate(y, self.activation)


class Conv(nn.Module):
    """Convolve [n, h, w, i] with a kernel / sqrt(k k i), in another resolution if asked, add a bias, activate, clip.

    Attributes:
        features: output channels o.
        size: k, of the window.
        taps: of the filter for other resolutions, from `fir.normalised`.
        activation: see `fergen.nn.activation`.
        use_bias: whether there is one.
        up: 2 doubles the resolution.
        down: 2 halves it.
        clamp: bound of the result's size, before `gain`; None for none.
        gain: of the result.
    """

    features: int
    size: int
    taps: Any = None
    activation: str = "linear"
    use_bias: bool = True
    up: int = 1
    down: int = 1
    clamp: float | None = None
    gain: float = 1.0

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Return [n, h', w', o], of the type of x."""
        shape = (self.size, self.size, x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.normal(1.0), shape)
        kernel = kernel.astype(x.dtype) * jnp.asarray(1 / math.sqrt(math.prod(shape[:3])), x.dtype)
        taps = np.ones(1) if self.taps is None else self.taps
        # With a doubled resolution the reference convolves in the strict sense, and correlates otherwise.
        x = conv_resampled(x, kernel, taps, up=self.up, down=self.down, padding=self.size // 2, flip=self.up == 2)
        if self.use_bias:
            x = x + self.param("bias", nn.initializers.zeros_init(), (self.features,)).astype(x.dtype)
        return finish(x, self.activation, self.gain, self.clamp)


def finish(x: jax.Array, activation: str, gain: float, clamp: float | None) -> jax.Array:
    """Activate with its own gain times another, which scales the bound too."""
    return activate(
        x, activation, gain=ACTIVATIONS[activation][1] * gain, clamp=None if clamp is None else clamp * gain
    )
