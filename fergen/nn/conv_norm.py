"""A convolution and its normalisation, the pair of which residual networks are made."""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from fergen.nn.conv import Conv
from fergen.nn.norm import norm_of

# He et al. 2015 (arXiv:1502.01852), section 2.2, eq. 14: the variance that keeps gradients through ReLUs constant.
fan_out_init = nn.initializers.variance_scaling(2.0, "fan_out", "normal")


class ConvNorm(NamedTuple):
    """What a network's convolutions share; calling it adds two modules to the module that calls.

    Attributes:
        train: batch normalisation goes by the batch and moves the averages, rather than by the averages.
        epsilon: added to the variance.
        momentum: of the averages.
        same: "same" padding, which is uneven for strides, instead of (k - 1) / 2 on all sides.
        norm: "batch", or "group": see `fergen.nn.norm`.
        dtype: of the computation.
    """

    train: bool
    epsilon: float = 1e-5
    momentum: float = 0.9
    same: bool = False
    norm: str = "batch"
    dtype: Any = jnp.float32

    def __call__(
        self,
        x: jax.Array,
        features: int,
        kernel: int,
        names: tuple[str, str],
        *,
        stride: int = 1,
        groups: int = 1,
    ) -> jax.Array:
        """Convolve x [b, h, w, c] without bias and normalise.

        Args:
            x: feature maps.
            features: filters.
            kernel: width of the square kernel.
            names: of the convolution and of the normalisation.
            stride: of the convolution.
            groups: of the convolution; c for one filter per channel.

        Returns:
            [b, ceil(h / stride), ceil(w / stride), features]
        """
        pad = (kernel - 1) // 2
        x = Conv(
            features,
            (kernel, kernel),
            strides=(stride, stride),
            padding="SAME" if self.same else ((pad, pad), (pad, pad)),
            use_bias=False,
            groups=groups,
            kernel_init=fan_out_init,
            dtype=self.dtype,
            name=names[0],
        )(x)
        norm = norm_of(
            self.norm,
            features,
            train=self.train,
            momentum=self.momentum,
            epsilon=self.epsilon,
            dtype=self.dtype,
            name=names[1],
        )
        return norm(x)
