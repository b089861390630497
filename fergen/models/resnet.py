"""ResNet 18, 34 and 50 (He et al. 2016, arXiv:1512.03385), with the stride of a bottleneck in its 3x3 convolution.

Module names are torchvision's, with `_` for the dot before a number: `layer1_0/conv1` is `layer1.0.conv1`.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from fergen.core.errors import BadInput
from fergen.nn.conv_norm import ConvNorm
from fergen.nn.drop_path import DropPath
from fergen.nn.norm import checked_norm
from fergen.nn.pool import global_average
from fergen.nn.probe import probed

# The first convolution and the last dense layer: what conversion adapts to the channels and classes at hand.
STEM = ("conv1",)
HEAD = ("fc",)

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}
STEMS = ("imagenet", "small")


class Block(nn.Module):
    """A residual block of figure 5: two 3x3 convolutions, or a 1x1-3x3-1x1 bottleneck that widens fourfold.

    Attributes:
        features: filters of the 3x3 convolutions.
        stride: of the block.
        bottleneck: which of the two forms.
        drop_path: probability that an image skips the residual branch in training.
        layer: how its convolutions are normalised.
    """

    features: int
    stride: int
    bottleneck: bool
    drop_path: float
    layer: ConvNorm

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Return the block's feature maps [b, h / stride, w / stride, c]."""
        layer, stride = self.layer, self.stride
        if self.bottleneck:
            out = 4 * self.features
            y = nn.relu(layer(x, self.features, 1, ("conv1", "bn1")))
            y = nn.relu(layer(y, self.features, 3, ("conv2", "bn2"), stride=stride))
            y = layer(y, out, 1, ("conv3", "bn3"))
        else:
            out = self.features
            y = nn.relu(layer(x, out, 3, ("conv1", "bn1"), stride=stride))
            y = layer(y, out, 3, ("conv2", "bn2"))
        if stride != 1 or x.shape[-1] != out:
            x = layer(x, out, 1, ("downsample_0", "downsample_1"), stride=stride)
        return nn.relu(x + DropPath(self.drop_path)(y, train=layer.train))


class ResNet(nn.Module):
    """A residual classifier; see `build`."""

    num_classes: int
    depth: int
    stem: str
    dropout: float
    drop_path: float
    norm: str
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Map normalised images float32 [b, h, w, c] to logits float32 [b, num_classes]."""
        layer = ConvNorm(train, norm=self.norm, dtype=self.dtype)
        small = self.stem == "small"
        x = nn.relu(layer(x, 64, 3 if small else 7, ("conv1", "bn1"), stride=1 if small else 2))
        if not small:
            x = nn.max_pool(x, window_shape=(3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))
        blocks, done = sum(BLOCKS[self.depth]), 0
        for stage, count in enumerate(BLOCKS[self.depth]):
            for i in range(count):
                done += 1
                x = Block(
                    features=64 * 2**stage,
                    stride=2 if stage and not i else 1,
                    bottleneck=self.depth >= 50,
                    # Linear decay of survival with depth (Huang et al. 2016, eq. 4).
                    drop_path=self.drop_path * done / blocks,
                    layer=layer,
                    name=f"layer{stage + 1}_{i}",
                )(x)
            self.sow("intermediates", f"stage{stage + 1}", x)
        x = probed(self, x)
        self.sow("intermediates", "feature_map", x)
        x = global_average(x)
        self.sow("intermediates", "features", x)
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return nn.Dense(self.num_classes, dtype=jnp.float32, name="fc")(x)


def build(
    *,
    num_classes: int,
    dtype: Any = jnp.float32,
    depth: int = 18,
    stem: str = "imagenet",
    dropout: float = 0.0,
    drop_path: float = 0.0,
    norm: str = "batch",
) -> ResNet:
    """Build a ResNet.

    Args:
        num_classes: size of the logits.
        dtype: of the computation; parameters are float32.
        depth: 18, 34 or 50.
        stem: `imagenet` for 7x7 stride 2 and max pooling (reduces 4-fold), `small` for 3x3 stride 1 without (for
            images of 32 to 64 pixels).
        dropout: rate before the head.
        drop_path: rate of stochastic depth at the last block, falling linearly towards the first.
        norm: "batch", or "group", which private training needs: see `fergen.nn.norm`.

    Raises:
        BadInput: an unknown depth, stem or norm.
    """
    if depth not in BLOCKS:
        raise BadInput(f"model resnet: depth={depth}: expected one of {', '.join(map(str, BLOCKS))}")
    if stem not in STEMS:
        raise BadInput(f"model resnet: stem={stem}: expected one of {', '.join(STEMS)}")
    return ResNet(
        num_classes=num_classes,
        depth=depth,
        stem=stem,
        dropout=dropout,
        drop_path=drop_path,
        norm=checked_norm("resnet", norm),
        dtype=dtype,
    )
