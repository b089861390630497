"""The classifier of the CNN + GAN augmentation study: Conv-BN-ReLU-MaxPool, dropout, dense layers."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from fergen.core.errors import BadInput
from fergen.nn.conv_norm import ConvNorm
from fergen.nn.norm import checked_norm
from fergen.nn.pool import max_pool
from fergen.nn.probe import probed

STEM = ("conv1",)
HEAD = ("fc2",)

he_init = nn.initializers.he_normal()


class CNNSimple(nn.Module):
    """Blocks of one convolution, one hidden dense layer; see `build`."""

    num_classes: int
    filters: tuple[int, ...]
    hidden: int
    dropout: float
    norm: str
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Map normalised images float32 [b, h, w, c] to logits float32 [b, num_classes]."""
        layer = ConvNorm(train, norm=self.norm, dtype=self.dtype)
        for i, filters in enumerate(self.filters, start=1):
            x = layer(x, filters, 3, (f"conv{i}", f"bn{i}"))
            x = nn.relu(x)
            if i == len(self.filters):
                x = probed(self, x)
            self.sow("intermediates", f"stage{i}", x)
            x = max_pool(x)
        self.sow("intermediates", "feature_map", x)
        x = x.transpose(0, 3, 1, 2).reshape(x.shape[0], -1)
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        x = nn.relu(nn.Dense(self.hidden, kernel_init=he_init, dtype=self.dtype, name="fc1")(x))
        self.sow("intermediates", "features", x)
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return nn.Dense(self.num_classes, dtype=jnp.float32, name="fc2")(x)


def build(
    *,
    num_classes: int,
    dtype: Any = jnp.float32,
    filters: tuple[int, ...] = (32, 64, 128),
    hidden: int = 128,
    dropout: float = 0.5,
    norm: str = "batch",
) -> CNNSimple:
    """Build the simple CNN. The source gives the order of its layers but no sizes; the defaults are ours.

    Args:
        num_classes: size of the logits.
        dtype: of the computation; parameters are float32.
        filters: of each block; every block halves the image.
        hidden: width of the hidden dense layer.
        dropout: rate before each of the two dense layers.
        norm: "batch", or "group", which private training needs: see `fergen.nn.norm`.

    Raises:
        BadInput: no filters, or no such norm.
    """
    if not filters:
        raise BadInput("model cnn_simple: filters=(): expected at least one block")
    return CNNSimple(
        num_classes=num_classes,
        filters=tuple(filters),
        hidden=hidden,
        dropout=dropout,
        norm=checked_norm("cnn_simple", norm),
        dtype=dtype,
    )
