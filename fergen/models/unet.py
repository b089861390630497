"""A U-Net that maps a noisy image, its time and its label to a velocity of the same shape.

Ronneberger et al. 2015 (arXiv:1505.04597) in the form that Ho et al. 2020 (arXiv:2006.11239) gave it for diffusion:
residual blocks under group normalisation, self-attention at low resolutions, a long connection from each block of the
way down to its mirror image on the way up. Time, label and augmentation modulate every block (Perez et al. 2018,
arXiv:1709.07871; Dhariwal & Nichol 2021, arXiv:2105.05233, section 3, eq. 4).

Patches of pixels may enter and leave as channels, so that all convolutions run at a half or a quarter of the image's
resolution: the form for two CPU cores. Between levels, too, each 2x2 features become channels and a matrix product
brings them to the next width; long connections join by a product as well, so that 3x3 windows never widen a map.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
from einops import rearrange
from flax import linen as nn

from fergen.core.errors import BadInput
from fergen.nn.attention import SelfAttention
from fergen.nn.conv import Conv

GROUP = 8  # channels that are normalised together
FREQUENCIES = 64  # of the embedding of time
FASTEST = 1000.0  # of them, in radians per unit of time


class Block(nn.Module):
    """A residual block: two 3x3 convolutions, the second of which begins at zero; a style acts between them.

    Attributes:
        dropout: before the second convolution.
        dtype: of the computation.
    """

    dropout: float
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array, style: jax.Array, *, train: bool) -> jax.Array:
        """Return feature maps of the shape of x [n, h, w, c]; style is [n, s]."""
        c = x.shape[-1]
        affine = nn.Dense(2 * c, kernel_init=nn.initializers.zeros, dtype=self.dtype, name="scale_shift")
        scale, shift = jnp.split(affine(style)[:, None, None], 2, axis=-1)
        y = nn.silu(norm(self.dtype, "norm0")(x))
        y = Conv(c, 3, kernel_init=fan_in, dtype=self.dtype, name="conv0")(y)
        y = nn.silu(norm(self.dtype, "norm1")(y) * (1 + scale) + shift)
        y = nn.Dropout(self.dropout, deterministic=not train, name="dropout")(y)
        return x + Conv(c, 3, kernel_init=nn.initializers.zeros, dtype=self.dtype, name="conv1")(y)


class UNet(nn.Module):
    """The network; see `build` for its attributes."""

    num_classes: int
    image: tuple[int, int, int]
    patch: int
    widths: tuple[int, ...]
    depths: tuple[int, ...]
    attention: tuple[int, ...]
    head: int
    embedding: int
    augmentations: int
    dropout: float
    dtype: Any

    @nn.compact
    def __call__(
        self, x: jax.Array, time: jax.Array, labels: jax.Array, augmentation: jax.Array, *, train: bool = False
    ) -> jax.Array:
        """Compute velocities.

        Args:
            x: float32 [n, h, w, c], between noise and data, either of about unit variance.
            time: float32 [n] in [0, 1].
            labels: int32 [n] in [0, num_classes]; num_classes itself stands for no label.
            augmentation: float32 [n, augmentations], 0 for images as they are.
            train: drop features.

        Returns:
            float32 [n, h, w, c].
        """
        style = self.style(time, labels, augmentation)
        x = rearrange(x.astype(self.dtype), "n (h p) (w q) c -> n h w (p q c)", p=self.patch, q=self.patch)
        x = Conv(self.widths[0], 3, kernel_init=fan_in, dtype=self.dtype, name="in")(x)

        passed = []
        for level, (width, depth) in enumerate(zip(self.widths, self.depths, strict=True)):
            if level:
                x = rearrange(x, "n (h p) (w q) c -> n h w (p q c)", p=2, q=2)
                x = Conv(width, 1, kernel_init=fan_in, dtype=self.dtype, name=f"down{level}")(x)
            for block in range(depth):
                x = self.block(x, style, f"down{level}_{block}", level, train=train)
                passed.append(x)
        for level, (width, depth) in reversed(list(enumerate(zip(self.widths, self.depths, strict=True)))):
            if level < len(self.widths) - 1:
                x = Conv(4 * width, 1, kernel_init=fan_in, dtype=self.dtype, name=f"up{level}")(x)
                x = rearrange(x, "n h w (p q c) -> n (h p) (w q) c", p=2, q=2)
            for block in range(depth):
                x = jnp.concatenate([x, passed.pop()], axis=-1)
                x = Conv(width, 1, kernel_init=fan_in, dtype=self.dtype, name=f"join{level}_{block}")(x)
                x = self.block(x, style, f"up{level}_{block}", level, train=train)

        x = nn.silu(norm(self.dtype, "out_norm")(x)).astype(jnp.float32)
        channels = self.image[-1] * self.patch**2
        x = Conv(channels, 3, kernel_init=nn.initializers.zeros, name="out")(x)
        return rearrange(x, "n h w (p q c) -> n (h p) (w q) c", p=self.patch, q=self.patch)

    def style(self, time: jax.Array, labels: jax.Array, augmentation: jax.Array) -> jax.Array:
        """Return what modulates the blocks, [n, embedding]: of the time by a small network, plus the embeddings."""
        rates = jnp.exp(jnp.linspace(0.0, math.log(FASTEST), FREQUENCIES))
        angles = time[:, None] * rates
        waves = jnp.concatenate([jnp.cos(angles), jnp.sin(angles)], axis=-1)
        style = nn.silu(nn.Dense(self.embedding, dtype=self.dtype, name="time0")(waves))
        style = nn.Dense(self.embedding, dtype=self.dtype, name="time1")(style)
        rows = self.num_classes + 1
        style += nn.Embed(rows, self.embedding, self.dtype, embedding_init=unit_normal, name="label")(labels)
        if self.augmentations:
            # Without bias: an image as it is adds nothing. Karras et al. 2022 (arXiv:2206.00364), appendix F.2.
            style += nn.Dense(self.embedding, use_bias=False, dtype=self.dtype, name="augmentation")(augmentation)
        return nn.silu(style)

    def block(self, x: jax.Array, style: jax.Array, name: str, level: int, *, train: bool) -> jax.Array:
        """Add a block, and attention where this level has it, to the module that calls."""
        x = Block(self.dropout, self.dtype, name=f"{name}_block")(x, style, train=train)
        if level in self.attention:
            x = SelfAttention(self.head, GROUP, self.dtype, name=f"{name}_attention")(x)
        return x


# The variance that keeps that of features behind a normalisation and SiLU about constant lies between LeCun's and
# He's; residual branches and modulation make up for the rest.
fan_in = nn.initializers.variance_scaling(1.0, "fan_in", "normal")
# A label's embedding weighs no less than the time's.
unit_normal = nn.initializers.normal(1.0)


def norm(dtype: Any, name: str) -> nn.GroupNorm:
    """Return a group normalisation; statistics are float32 for any dtype. Wu & He 2018 (arXiv:1803.08494), eq. 1-7."""
    return nn.GroupNorm(num_groups=None, group_size=GROUP, epsilon=1e-5, dtype=dtype, name=name)


def build(
    *,
    num_classes: int,
    image: tuple[int, int, int],
    patch: int = 1,
    widths: tuple[int, ...] = (64, 128, 192, 256),
    depths: tuple[int, ...] = (2, 2, 2, 2),
    attention: tuple[int, ...] = (2, 3),
    head: int = 64,
    embedding: int = 256,
    augmentations: int = 0,
    dropout: float = 0.0,
    dtype: Any = jnp.float32,
) -> UNet:
    """Build the network.

    Args:
        num_classes: of the labels.
        image: height, width and channels.
        patch: side of the squares of pixels that enter as channels.
        widths: channels of each level, the first at 1/patch of the image's resolution, every other at half of that
            before it.
        depths: blocks of each level on the way down, and as many on the way up.
        attention: levels, counted from 0, at which attention follows each block.
        head: channels of an attention head.
        embedding: entries of the vector that modulates the blocks.
        augmentations: entries of the augmentation labels; 0 for none.
        dropout: share of features dropped in each block, in training.
        dtype: of the computation; parameters are float32.

    Raises:
        BadInput: options do not go together, or the image does not divide that often by 2.
    """
    widths, depths, attention = tuple(widths), tuple(depths), tuple(attention)
    if not widths or len(widths) != len(depths) or min(depths) < 1:
        raise BadInput(f"model unet: expected a depth of 1 or more for each width, found {widths} and {depths}")
    if any(width < GROUP or width % GROUP for width in widths):
        raise BadInput(f"model unet: expected widths that divide by {GROUP}, found {widths}")
    if not set(attention) <= set(range(len(widths))):
        raise BadInput(f"model unet: expected attention at levels from 0 to {len(widths) - 1}, found {attention}")
    wrong = [widths[level] for level in attention if head < 1 or widths[level] % head]
    if wrong:
        raise BadInput(f"model unet: expected heads of a width that divides {wrong[0]}, found {head}")
    if patch < 1 or embedding < 1 or not 0 <= dropout < 1:
        raise BadInput(
            "model unet: expected patch and embedding of 1 or more and dropout in [0, 1), found"
            f" {patch}, {embedding} and {dropout}"
        )
    scale = patch * 2 ** (len(widths) - 1)
    if image[0] % scale or image[1] % scale:
        raise BadInput(
            f"model unet: patches of {patch} and {len(widths)} widths need sides that divide by {scale}, found"
            f" {image[0]}x{image[1]}"
        )
    return UNet(
        num_classes=num_classes,
        image=tuple(image),
        patch=patch,
        widths=widths,
        depths=depths,
        attention=attention,
        head=head,
        embedding=embedding,
        augmentations=augmentations,
        dropout=dropout,
        dtype=dtype,
    )
