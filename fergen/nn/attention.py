"""Self-attention over the pixels of a feature map, as a residual branch."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn


class SelfAttention(nn.Module):
    """Let every pixel look at every other: x + projection of the attention over group-normalised x.

    Vaswani et al. 2017 (arXiv:1706.03762), section 3.2.2, with pixels as tokens. The projection begins at zero, so that
    the branch does. Queries and keys are brought to mean square 1 with learned scales, which bounds the scores also in
    half precision (Henry et al. 2020, arXiv:2010.04245).

    Attributes:
        head: channels of a head; those of x divide by it.
        group: channels that are normalised together.
        dtype: of the computation; the softmax is float32.
    """

    head: int = 32
    group: int = 8
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Return feature maps of the shape of x [n, h, w, c]."""
        n, h, w, c = x.shape
        y = nn.GroupNorm(num_groups=None, group_size=self.group, dtype=self.dtype, name="norm")(x)
        y = nn.Dense(3 * c, use_bias=False, dtype=self.dtype, name="query_key_value")(y.reshape(n, h * w, c))
        query, key, value = jnp.moveaxis(y.reshape(n, h * w, 3, c // self.head, self.head), 2, 0)
        query = nn.RMSNorm(dtype=self.dtype, name="query_norm")(query)
        key = nn.RMSNorm(dtype=self.dtype, name="key_norm")(key)
        y = jax.nn.dot_product_attention(query, key, value).reshape(n, h, w, c)
        return x + nn.Dense(c, kernel_init=nn.initializers.zeros, dtype=self.dtype, name="out")(y)
