"""StyleGAN2's discriminator: images and labels to one logit each."""

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from fergen.models.stylegan2_layout import Layout
from fergen.models.stylegan2_mapping import Mapping
from fergen.nn import fir
from fergen.nn.equalized import Conv, Dense

SQRT_HALF = 0.5**0.5


class Discriminator(nn.Module):
    """Images to logits, block by block from the highest resolution: arXiv:1912.04958, figure 7; labels as projections.

    Attributes:
        layout: sizes of the blocks.
        classes: entries of labels; 0 for none.
        architecture: see `stylegan2_layout.ARCHITECTURES`.
        activation: see `fergen.nn.activation`.
        taps: of the filter by which resolutions halve.
        clamp: bound of activations; None for none.
        group: images whose spread is seen together; 0 for the whole batch.
        group_channels: channels that tell it; 0 for none.
        label_layers: dense layers from a label to its vector, behind the embedding; 0 for that alone.
        label_rate: multiplier of their learning rate.
        cmap: entries of the vector.
        dtype: of the computation in the layout's half blocks.
    """

    layout: Layout
    classes: int
    architecture: str
    activation: str
    taps: Any
    clamp: float | None
    group: int
    group_channels: int
    label_layers: int
    label_rate: float
    cmap: int
    dtype: Any

    @nn.compact
    def __call__(self, images: jax.Array, labels: jax.Array, seen: dict | None = None) -> jax.Array:
        """Map images [n, size, size, colours] and labels [n, classes], which need not be of one class, to logits [n].

        Args:
            images: near [-1, 1].
            labels: of the images.
            seen: a dict that takes what the blocks return, for those who look inside.
        """
        seen = {} if seen is None else seen
        sizes, full, x, image = self.layout.sizes, images.dtype, None, images
        for level in reversed(range(1, len(sizes))):
            block = DiscriminatorBlock(
                self.layout,
                level,
                self.architecture,
                self.activation,
                self.taps,
                self.clamp,
                self.dtype if self.layout.half[level] else full,
                name=f"b{sizes[level]}",
            )
            x, image = seen[f"b{sizes[level]}"] = block(x, image)
        cmap = None
        if self.classes:
            mapping = Mapping(
                z=0,
                classes=self.classes,
                w=self.cmap,
                layers=self.label_layers,
                rate=self.label_rate,
                activation=self.activation,
                averages=False,
                name="mapping",
            )
            cmap = seen["cmap"] = mapping(None, labels)
        epilogue = Epilogue(
            self.layout,
            self.architecture,
            self.activation,
            self.clamp,
            self.group,
            self.group_channels,
            self.cmap,
            full,
            name=f"b{sizes[0]}",
        )
        return epilogue(x, image, cmap, seen)


class DiscriminatorBlock(nn.Module):
    """One resolution: two convolutions of which the second halves it. See `Discriminator`."""

    layout: Layout
    level: int
    architecture: str
    activation: str
    taps: Any
    clamp: float | None
    dtype: Any

    @nn.compact
    def __call__(self, x, image) -> tuple[jax.Array, jax.Array | None]:
        """Return features and image of half the resolution."""
        features, below = self.layout.channels[self.level], self.layout.channels[self.level - 1]
        conv = partial(Conv, activation=self.activation, clamp=self.clamp)
        x = None if x is None else x.astype(self.dtype)
        if x is None or self.architecture == "skip":
            image = image.astype(self.dtype)
            y = conv(features, 1, name="fromrgb")(image)
            x = y if x is None else x + y
            image = fir.downsample(image, self.taps) if self.architecture == "skip" else None
        if self.architecture == "resnet":
            skip = Conv(below, 1, self.taps, use_bias=False, down=2, gain=SQRT_HALF, name="skip")(x)
            x = conv(features, 3, name="conv0")(x)
            x = conv(below, 3, self.taps, down=2, gain=SQRT_HALF, name="conv1")(x)
            return skip + x, image
        x = conv(features, 3, name="conv0")(x)
        return conv(below, 3, self.taps, down=2, name="conv1")(x), image


class Epilogue(nn.Module):
    """The lowest resolution: spread of the batch, a convolution, two dense layers. See `Discriminator`."""

    layout: Layout
    architecture: str
    activation: str
    clamp: float | None
    group: int
    group_channels: int
    cmap: int
    dtype: Any

    @nn.compact
    def __call__(self, x, image, cmap, seen: dict) -> jax.Array:
        """Return logits [n]."""
        features, x = self.layout.channels[0], x.astype(self.dtype)
        if self.architecture == "skip":
            x = x + Conv(features, 1, activation=self.activation, name="fromrgb")(image.astype(self.dtype))
        if self.group_channels:
            x = seen["mbstd"] = with_spread(x, self.group, self.group_channels)
        x = seen["conv"] = Conv(features, 3, activation=self.activation, clamp=self.clamp, name="conv")(x)
        # The reference flattens channels first, then rows and columns.
        x = jnp.moveaxis(x, -1, 1).reshape(len(x), -1)
        x = seen["fc"] = Dense(features, self.activation, name="fc")(x)
        x = seen["out"] = Dense(1 if cmap is None else self.cmap, name="out")(x)
        return x[:, 0] if cmap is None else (x * cmap).sum(1) / math.sqrt(self.cmap)


def with_spread(x: jax.Array, group: int, channels: int) -> jax.Array:
    """Append channels that tell how far the images of a group differ (Karras et al. 2018, arXiv:1710.10196, section 3).

    Args:
        x: features [n, h, w, c].
        group: images of a group, at most; 0 for the whole batch. Image i is in group i mod n / group.
        channels: to append; each is of a part of the features.

    Returns:
        [n, h, w, c + channels].
    """
    n, h, w, c = x.shape
    group = min(group, n) if group else n
    y = x.reshape(group, n // group, h, w, channels, c // channels)
    y = jnp.sqrt(jnp.square(y - y.mean(0)).mean(0) + 1e-8)
    y = y.mean((1, 2, 4))  # [groups, channels]
    y = jnp.broadcast_to(jnp.tile(y, (group, 1))[:, None, None], (n, h, w, channels))
    return jnp.concatenate([x, y.astype(x.dtype)], axis=-1)
