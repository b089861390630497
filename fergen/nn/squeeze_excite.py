"""Channel attention."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp


class SqueezeExcite(nn.Module):
    """Scale each channel by a gate computed from all channel means.

    Hu et al. 2018, Squeeze-and-Excitation Networks (arXiv:1709.01507), eqs. 2-4. The two dense layers are 1x1
    convolutions `fc1` and `fc2`, with biases.

    Attributes:
        squeezed: channels between the two layers.
        activation: after the first layer.
        gate: after the second layer, onto [0, 1].
        dtype: of the computation.
    """

    squeezed: int
    activation: Callable[[jax.Array], jax.Array] = nn.relu
    gate: Callable[[jax.Array], jax.Array] = nn.sigmoid
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Return x [b, h, w, c] with its channels scaled."""
        means = jnp.mean(x, axis=(1, 2), keepdims=True)
        hidden = self.activation(nn.Conv(self.squeezed, (1, 1), dtype=self.dtype, name="fc1")(means))
        return x * self.gate(nn.Conv(x.shape[-1], (1, 1), dtype=self.dtype, name="fc2")(hidden))
