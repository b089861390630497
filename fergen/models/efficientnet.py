"""EfficientNet-B0 (Tan and Le 2019, arXiv:1905.11946), V2-S (2021, arXiv:2104.00298) and Lite0.

B0 and V2-S carry torchvision's module names (`features_1_0/block_0_0` is `features.1.0.block.0.0`); Lite0, which has
no squeeze-excite, clipped ReLUs and "same" padding, those of its published PyTorch table (`blocks_0/depthwise_conv`
is `_blocks.0._depthwise_conv`).
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from fergen.core.errors import BadInput
from fergen.nn.conv_norm import ConvNorm
from fergen.nn.drop_path import DropPath
from fergen.nn.pool import global_average
from fergen.nn.probe import probed
from fergen.nn.squeeze_excite import SqueezeExcite

STEM = ("features_0_0", "conv_stem")
HEAD = ("classifier_1", "fc")

STEMS = ("imagenet", "small")
LAST = 1280  # filters of the last convolution


class Stage(NamedTuple):
    """One stage of a table: `layers` equal blocks, the first with the stride."""

    fused: bool
    expand: int
    kernel: int
    stride: int
    out: int
    layers: int


B0 = (
    Stage(False, 1, 3, 1, 16, 1),
    Stage(False, 6, 3, 2, 24, 2),
    Stage(False, 6, 5, 2, 40, 2),
    Stage(False, 6, 3, 2, 80, 3),
    Stage(False, 6, 5, 1, 112, 3),
    Stage(False, 6, 5, 2, 192, 4),
    Stage(False, 6, 3, 1, 320, 1),
)
V2_S = (
    Stage(True, 1, 3, 1, 24, 2),
    Stage(True, 4, 3, 2, 48, 4),
    Stage(True, 4, 3, 2, 64, 4),
    Stage(False, 4, 3, 2, 128, 6),
    Stage(False, 6, 3, 1, 160, 9),
    Stage(False, 6, 3, 2, 256, 15),
)
# Stages, filters of the stem, epsilon and momentum of the batch normalisation.
VARIANTS = {"b0": (B0, 32, 1e-5, 0.9), "v2_s": (V2_S, 24, 1e-3, 0.9), "lite0": (B0, 32, 1e-3, 0.99)}


class MBConv(nn.Module):
    """An inverted bottleneck with squeeze-excite, or its fused form, whose 3x3 convolution expands (V2, figure 2)."""

    stage: Stage
    stride: int
    drop_path: float
    layer: ConvNorm

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Return the block's feature maps [b, h / stride, w / stride, out]."""
        stage, layer, inputs = self.stage, self.layer, x
        channels = x.shape[-1]
        expanded = stage.expand * channels
        if stage.fused:
            first = stage.out if stage.expand == 1 else expanded
            x = nn.silu(layer(x, first, stage.kernel, ("block_0_0", "block_0_1"), stride=self.stride))
            if stage.expand != 1:
                x = layer(x, stage.out, 1, ("block_1_0", "block_1_1"))
        else:
            step = 0
            if stage.expand != 1:
                x = nn.silu(layer(x, expanded, 1, ("block_0_0", "block_0_1")))
                step = 1
            names = (f"block_{step}_0", f"block_{step}_1")
            x = nn.silu(layer(x, expanded, stage.kernel, names, stride=self.stride, groups=expanded))
            # The squeeze counts from the channels that enter the block, not from the expanded ones.
            x = SqueezeExcite(max(1, channels // 4), nn.silu, dtype=layer.dtype, name=f"block_{step + 1}")(x)
            x = layer(x, stage.out, 1, (f"block_{step + 2}_0", f"block_{step + 2}_1"))
        if self.stride == 1 and channels == stage.out:
            x = inputs + DropPath(self.drop_path)(x, train=layer.train)
        return x


class LiteBlock(nn.Module):
    """An inverted bottleneck without squeeze-excite, with ReLU6."""

    stage: Stage
    stride: int
    drop_path: float
    layer: ConvNorm

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Return the block's feature maps [b, h / stride, w / stride, out]."""
        stage, layer, inputs = self.stage, self.layer, x
        expanded = stage.expand * x.shape[-1]
        if stage.expand != 1:
            x = nn.relu6(layer(x, expanded, 1, ("expand_conv", "bn0")))
        x = layer(x, expanded, stage.kernel, ("depthwise_conv", "bn1"), stride=self.stride, groups=expanded)
        x = layer(nn.relu6(x), stage.out, 1, ("project_conv", "bn2"))
        if self.stride == 1 and inputs.shape[-1] == stage.out:
            x = inputs + DropPath(self.drop_path)(x, train=layer.train)
        return x


class EfficientNet(nn.Module):
    """A classifier scaled jointly in depth, width and resolution; see `build`."""

    num_classes: int
    variant: str
    stem: str
    dropout: float
    drop_path: float
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Map normalised images float32 [b, h, w, c] to logits float32 [b, num_classes]."""
        stages, filters, epsilon, momentum = VARIANTS[self.variant]
        lite = self.variant == "lite0"
        activation = nn.relu6 if lite else nn.silu
        layer = ConvNorm(train, epsilon, momentum, same=lite, dtype=self.dtype)
        names = ("conv_stem", "bn0") if lite else ("features_0_0", "features_0_1")
        x = activation(layer(x, filters, 3, names, stride=1 if self.stem == "small" else 2))
        block = LiteBlock if lite else MBConv
        for number, (i, j, stage, rate) in enumerate(self.blocks(stages)):
            name = f"blocks_{number}" if lite else f"features_{i + 1}_{j}"
            x = block(stage, stage.stride if j == 0 else 1, rate, layer, name=name)(x)
            if j == stage.layers - 1:
                self.sow("intermediates", f"stage{i + 1}", x)
        last = len(stages) + 1
        names = ("conv_head", "bn1") if lite else (f"features_{last}_0", f"features_{last}_1")
        x = activation(layer(x, LAST, 1, names))
        x = probed(self, x)
        self.sow("intermediates", "feature_map", x)
        x = global_average(x)
        self.sow("intermediates", "features", x)
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return nn.Dense(self.num_classes, dtype=jnp.float32, name="fc" if lite else "classifier_1")(x)

    def blocks(self, stages: tuple[Stage, ...]) -> Iterator[tuple[int, int, Stage, float]]:
        """Yield (stage number, block in stage, stage, drop-path rate) in order; rates rise linearly from 0."""
        total, number = sum(stage.layers for stage in stages), 0
        for i, stage in enumerate(stages):
            for j in range(stage.layers):
                yield i, j, stage, self.drop_path * number / total
                number += 1


def build(
    *,
    num_classes: int,
    dtype: Any = jnp.float32,
    variant: str = "b0",
    stem: str = "imagenet",
    dropout: float = 0.2,
    drop_path: float = 0.2,
) -> EfficientNet:
    """Build an EfficientNet.

    Args:
        num_classes: size of the logits.
        dtype: of the computation; parameters are float32.
        variant: b0, v2_s or lite0.
        stem: `imagenet` for a first convolution of stride 2, `small` for stride 1 (same parameters; images of 32 to
            64 pixels keep twice the resolution).
        dropout: rate before the head.
        drop_path: rate of stochastic depth towards the last block.

    Raises:
        BadInput: an unknown variant or stem.
    """
    if variant not in VARIANTS:
        raise BadInput(f"model efficientnet: variant={variant}: expected one of {', '.join(VARIANTS)}")
    if stem not in STEMS:
        raise BadInput(f"model efficientnet: stem={stem}: expected one of {', '.join(STEMS)}")
    return EfficientNet(
        num_classes=num_classes, variant=variant, stem=stem, dropout=dropout, drop_path=drop_path, dtype=dtype
    )
