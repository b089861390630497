"""Stochastic depth: a residual branch is skipped as a whole for some images of a batch."""

import flax.linen as nn
import jax
import jax.numpy as jnp


class DropPath(nn.Module):
    """Zero a residual branch per image with probability `rate` in training, scaling the survivors by 1 / (1 - rate).

    Huang et al. 2016, Deep Networks with Stochastic Depth (arXiv:1603.09382), eq. 2, with the scaling moved from
    test time to training time.

    Attributes:
        rate: probability that an image skips the branch, in [0, 1).
    """

    rate: float

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Drop rows of x [b, ...]; draws from the `dropout` random stream."""
        if not train or self.rate == 0:
            return x
        keep = 1 - self.rate
        shape = (x.shape[0],) + (1,) * (x.ndim - 1)
        kept = jax.random.bernoulli(self.make_rng("dropout"), keep, shape)
        return jnp.where(kept, x / jnp.asarray(keep, x.dtype), 0)
