"""fernet: a small residual network for 48x48 faces, shaped for the most accuracy per second on CPU cores.

A space-to-depth stem halves the resolution at once, so that every 3x3 convolution runs at 24x24, 12x12 or 6x6 with
32 channels or more, where it reaches 100-200 GFLOP/s on two cores (see `fergen.nn.conv`); there are no depthwise
convolutions, which move more memory than they multiply.
"""

from typing import Any

import jax
import jax.numpy as jnp
from einops import rearrange
from flax import linen as nn

from fergen.core.errors import BadInput
from fergen.nn.conv import Conv
from fergen.nn.norm import checked_norm, norm_of
from fergen.nn.probe import probed


class Fernet(nn.Module):
    """Three residual stages with max pooling between them; see `build`."""

    num_classes: int
    widths: tuple[int, ...]
    depths: tuple[int, ...]
    dropout: float
    norm: str
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        """Return logits.

        Args:
            x: normalised images [B, H, W, C]; H and W divide by 2 to the number of stages.
            train: batch statistics and dropout of training.

        Returns:
            float32 [B, num_classes].
        """

        def conv_norm(x, features, name, *, zero=False):
            x = Conv(features, 3, use_bias=False, dtype=self.dtype, name=f"{name}_conv")(x)
            # A residual branch that starts at zero lets a deep net start as a shallow one (Goyal et al. 2017, 5.1).
            scale = nn.initializers.zeros if zero else nn.initializers.ones
            norm = norm_of(self.norm, features, train=train, dtype=self.dtype, scale_init=scale, name=f"{name}_norm")
            return norm(x)

        x = rearrange(x.astype(self.dtype), "b (h i) (w j) c -> b h w (i j c)", i=2, j=2)
        for stage, (width, depth) in enumerate(zip(self.widths, self.depths, strict=True)):
            if stage:
                x = pool(x)
            x = nn.relu(conv_norm(x, width, f"stage{stage}_in"))
            for block in range(depth):
                y = nn.relu(conv_norm(x, width, f"stage{stage}_block{block}_a"))
                y = conv_norm(y, width, f"stage{stage}_block{block}_b", zero=True)
                x = nn.relu(x + y)
            self.sow("intermediates", f"stage{stage + 1}", x)
        x = probed(self, x)
        self.sow("intermediates", "feature_map", x)
        x = x.mean((1, 2))
        self.sow("intermediates", "features", x)
        x = nn.Dropout(self.dropout, deterministic=not train, name="dropout")(x)
        return nn.Dense(self.num_classes, dtype=jnp.float32, name="head")(x)


def pool(x: jax.Array) -> jax.Array:
    """Take the maximum of 2x2 windows: four strided views, a faster gradient on CPU than a window reduction's."""
    top, bottom = x[:, ::2], x[:, 1::2]
    return jnp.maximum(jnp.maximum(top[:, :, ::2], top[:, :, 1::2]), jnp.maximum(bottom[:, :, ::2], bottom[:, :, 1::2]))


def build(
    *,
    num_classes: int,
    dtype: Any = jnp.float32,
    widths: tuple[int, ...] = (32, 96, 160),
    depths: tuple[int, ...] = (1, 1, 1),
    dropout: float = 0.2,
    norm: str = "batch",
) -> Fernet:
    """Build the network: 815 k parameters and 60 M multiply-adds at 48x48 by default.

    Args:
        num_classes: outputs.
        dtype: of the computation; parameters are float32.
        widths: channels of each stage.
        depths: residual blocks of each stage.
        dropout: rate before the head.
        norm: "batch", or "group", which private training needs: see `fergen.nn.norm`.

    Raises:
        BadInput: widths and depths differ in number, or there is no such norm.
    """
    if len(widths) != len(depths) or not widths:
        raise BadInput(f"model fernet: expected as many widths as depths, found {tuple(widths)} and {tuple(depths)}")
    return Fernet(
        num_classes=num_classes,
        widths=tuple(widths),
        depths=tuple(depths),
        dropout=dropout,
        norm=checked_norm("fernet", norm),
        dtype=dtype,
    )
