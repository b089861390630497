"""MobileNetV3 small and large (Howard et al. 2019, arXiv:1905.02244, tables 1 and 2).

Module names are torchvision's: `features_1/block_0_0` is `features.1.block.0.0`.
"""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from fergen.core.errors import BadInput
from fergen.nn.conv_norm import ConvNorm
from fergen.nn.pool import global_average
from fergen.nn.probe import probed
from fergen.nn.squeeze_excite import SqueezeExcite

STEM = ("features_0_0",)
HEAD = ("classifier_3",)

STEMS = ("imagenet", "small")


class Row(NamedTuple):
    """One row of table 1 or 2: an inverted bottleneck."""

    kernel: int
    expanded: int
    out: int
    squeeze: bool
    hard_swish: bool
    stride: int


LARGE = (
    Row(3, 16, 16, False, False, 1),
    Row(3, 64, 24, False, False, 2),
    Row(3, 72, 24, False, False, 1),
    Row(5, 72, 40, True, False, 2),
    Row(5, 120, 40, True, False, 1),
    Row(5, 120, 40, True, False, 1),
    Row(3, 240, 80, False, True, 2),
    Row(3, 200, 80, False, True, 1),
    Row(3, 184, 80, False, True, 1),
    Row(3, 184, 80, False, True, 1),
    Row(3, 480, 112, True, True, 1),
    Row(3, 672, 112, True, True, 1),
    Row(5, 672, 160, True, True, 2),
    Row(5, 960, 160, True, True, 1),
    Row(5, 960, 160, True, True, 1),
)
SMALL = (
    Row(3, 16, 16, True, False, 2),
    Row(3, 72, 24, False, False, 2),
    Row(3, 88, 24, False, False, 1),
    Row(5, 96, 40, True, True, 2),
    Row(5, 240, 40, True, True, 1),
    Row(5, 240, 40, True, True, 1),
    Row(5, 120, 48, True, True, 1),
    Row(5, 144, 48, True, True, 1),
    Row(5, 288, 96, True, True, 2),
    Row(5, 576, 96, True, True, 1),
    Row(5, 576, 96, True, True, 1),
)
# Rows, and the width of the hidden dense layer.
VARIANTS = {"small": (SMALL, 1024), "large": (LARGE, 1280)}


def multiple_of_8(n: float) -> int:
    """Round to the nearest multiple of 8, at least 8 and never below 0.9 n: the widths of the MobileNet family."""
    rounded = max(8, int(n + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * n else rounded


class Bottleneck(nn.Module):
    """Expand, filter per channel, squeeze and excite, project (figure 4)."""

    row: Row
    layer: ConvNorm

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Return the block's feature maps [b, h / stride, w / stride, out]."""
        row, layer, inputs = self.row, self.layer, x
        activation = nn.hard_swish if row.hard_swish else nn.relu
        step = 0
        if row.expanded != x.shape[-1]:
            x = activation(layer(x, row.expanded, 1, ("block_0_0", "block_0_1")))
            step = 1
        names = (f"block_{step}_0", f"block_{step}_1")
        x = activation(layer(x, row.expanded, row.kernel, names, stride=row.stride, groups=row.expanded))
        if row.squeeze:
            step += 1
            x = SqueezeExcite(
                multiple_of_8(row.expanded / 4), gate=nn.hard_sigmoid, dtype=layer.dtype, name=f"block_{step}"
            )(x)
        step += 1
        x = layer(x, row.out, 1, (f"block_{step}_0", f"block_{step}_1"))
        return x + inputs if row.stride == 1 and inputs.shape[-1] == row.out else x


class MobileNetV3(nn.Module):
    """A classifier for small processors; see `build`."""

    num_classes: int
    variant: str
    stem: str
    dropout: float
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Map normalised images float32 [b, h, w, c] to logits float32 [b, num_classes]."""
        rows, hidden = VARIANTS[self.variant]
        # The paper's long averages (momentum 0.99), and this family's epsilon.
        layer = ConvNorm(train, epsilon=1e-3, momentum=0.99, dtype=self.dtype)
        stride = 1 if self.stem == "small" else 2
        x = nn.hard_swish(layer(x, 16, 3, ("features_0_0", "features_0_1"), stride=stride))
        for i, row in enumerate(rows, start=1):
            x = Bottleneck(row, layer, name=f"features_{i}")(x)
            self.sow("intermediates", f"stage{i}", x)
        last = len(rows) + 1
        x = nn.hard_swish(layer(x, 6 * rows[-1].out, 1, (f"features_{last}_0", f"features_{last}_1")))
        x = probed(self, x)
        self.sow("intermediates", "feature_map", x)
        x = nn.Dense(hidden, dtype=self.dtype, name="classifier_0")(global_average(x))
        x = nn.hard_swish(x)
        self.sow("intermediates", "features", x)
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return nn.Dense(self.num_classes, dtype=jnp.float32, name="classifier_3")(x)


def build(
    *,
    num_classes: int,
    dtype: Any = jnp.float32,
    variant: str = "small",
    stem: str = "imagenet",
    dropout: float = 0.2,
) -> MobileNetV3:
    """Build a MobileNetV3.

    Args:
        num_classes: size of the logits.
        dtype: of the computation; parameters are float32.
        variant: small or large.
        stem: `imagenet` for a first convolution of stride 2, `small` for stride 1 (same parameters; images of 32 to
            64 pixels keep twice the resolution).
        dropout: rate before the head.

    Raises:
        BadInput: an unknown variant or stem.
    """
    if variant not in VARIANTS:
        raise BadInput(f"model mobilenet: variant={variant}: expected one of {', '.join(VARIANTS)}")
    if stem not in STEMS:
        raise BadInput(f"model mobilenet: stem={stem}: expected one of {', '.join(STEMS)}")
    return MobileNetV3(num_classes=num_classes, variant=variant, stem=stem, dropout=dropout, dtype=dtype)
