"""The network of the five-class FER2013 study: a VGG-like CNN with batch normalisation and much dropout."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from fergen.core.errors import BadInput
from fergen.nn.conv_norm import ConvNorm
from fergen.nn.norm import checked_norm
from fergen.nn.pool import max_pool
from fergen.nn.probe import probed

STEM = ("block1_conv1",)
HEAD = ("fc3",)

FILTERS = (64, 128, 256, 512)
DROPOUTS = (0.25, 0.25, 0.35, 0.40)
he_init = nn.initializers.he_normal()


class CNN(nn.Module):
    """Four blocks of two convolutions, then three dense layers; see `build`."""

    num_classes: int
    filters: tuple[int, ...]
    hidden: tuple[int, ...]
    dropouts: tuple[float, ...]
    dense_dropout: float
    norm: str
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Map normalised images float32 [b, h, w, c], h and w >= 16, to logits float32 [b, num_classes]."""
        layer = ConvNorm(train, norm=self.norm, dtype=self.dtype)
        for block, (filters, rate) in enumerate(zip(self.filters, self.dropouts), start=1):
            for i in (1, 2):
                x = nn.relu(layer(x, filters, 3, (f"block{block}_conv{i}", f"block{block}_bn{i}")))
            if block == len(self.filters):
                x = probed(self, x)
            self.sow("intermediates", f"stage{block}", x)
            x = max_pool(x)
            x = nn.Dropout(rate, deterministic=not train)(x)
        self.sow("intermediates", "feature_map", x)
        # Channels first, as the source flattens (512 x 3 x 3 for 48-pixel images).
        x = x.transpose(0, 3, 1, 2).reshape(x.shape[0], -1)
        for i, width in enumerate(self.hidden, start=1):
            x = nn.relu(nn.Dense(width, kernel_init=he_init, dtype=self.dtype, name=f"fc{i}")(x))
            if i == len(self.hidden):
                self.sow("intermediates", "features", x)
            x = nn.Dropout(self.dense_dropout, deterministic=not train)(x)
        return nn.Dense(self.num_classes, dtype=jnp.float32, name="fc3")(x)


def build(
    *,
    num_classes: int,
    dtype: Any = jnp.float32,
    width: float = 1.0,
    hidden: tuple[int, int] = (512, 256),
    dropouts: tuple[float, ...] = DROPOUTS,
    dense_dropout: float = 0.5,
    norm: str = "batch",
) -> CNN:
    """Build the five-class study's CNN.

    Args:
        num_classes: size of the logits; 5 in the source.
        dtype: of the computation; parameters are float32.
        width: multiplies the filters 64-128-256-512 and the hidden widths; 0.25 for quick studies.
        hidden: widths of the first two of three dense layers; the source names none.
        dropouts: rate after each of the four blocks.
        dense_dropout: rate after each hidden dense layer.
        norm: "batch", as in the source, or "group", which private training needs: see `fergen.nn.norm`.

    Raises:
        BadInput: a width that is not positive, lists of the wrong length, or no such norm.
    """
    if width <= 0:
        raise BadInput(f"model cnn: width={width}: expected a positive number")
    if len(hidden) != 2 or len(dropouts) != len(FILTERS):
        raise BadInput(
            f"model cnn: expected 2 hidden widths and {len(FILTERS)} dropouts,"
            f" found hidden={tuple(hidden)}, dropouts={tuple(dropouts)}"
        )
    return CNN(
        num_classes=num_classes,
        filters=tuple(max(1, round(width * n)) for n in FILTERS),
        hidden=tuple(max(1, round(width * n)) for n in hidden),
        dropouts=tuple(dropouts),
        dense_dropout=dense_dropout,
        norm=checked_norm("cnn", norm),
        dtype=dtype,
    )
