"""A small conditional GAN: a generator of transposed convolutions and a critic of residual convolutions.

Radford et al. 2016 (arXiv:1511.06434) in outline: dense, then transposed convolutions with batch normalisation, against
convolutions with LeakyReLU, then dense. Added are residual blocks, class-conditional normalisation in the generator
(De Vries et al. 2017, arXiv:1707.00683; the latent joins the label as in Brock et al. 2019, arXiv:1809.11096, section
3) and no normalisation in the critic. Nothing wide runs at full resolution: the critic's stem moves each 2x2 pixels
into channels and the generator's last layer moves them back, so that the convolutions stay at half of it and below.

A photograph's grain differs from pixel to pixel, which no short latent can say: the generator's latent ends in an
entry per pixel, which joins the last features with a strength of the image's own (Karras et al. 2019, arXiv:1812.04948,
section 3.2, at the last layer alone).
"""

from typing import Any

import jax
import jax.numpy as jnp
from einops import rearrange
from flax import linen as nn

from fergen.core.errors import BadInput
from fergen.models.gan_critic import Critic, Networks, channels_at, halvings, he_init, normal_init, require_options
from fergen.nn.conv import Conv
from fergen.nn.conv_transpose import ConvTranspose

# Height and width at which a generator begins, at most.
BASE = 8


class StyleNorm(nn.Module):
    """Batch normalisation whose scale and shift are affine in a style vector; a rectifier follows.

    Attributes:
        train: normalise by the batch and move the averages, rather than by the averages.
        dtype: of the computation.
    """

    train: bool
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array, style: jax.Array) -> jax.Array:
        """Return rectified feature maps of the shape of x [n, h, w, c]; style is [n, s]."""
        x = nn.BatchNorm(
            use_running_average=not self.train,
            momentum=0.9,
            use_bias=False,
            use_scale=False,
            dtype=self.dtype,
            name="norm",
        )(x)
        affine = nn.Dense(
            2 * x.shape[-1], kernel_init=nn.initializers.normal(0.02), dtype=self.dtype, name="scale_shift"
        )
        scale, shift = jnp.split(affine(style)[:, None, None], 2, axis=-1)
        return nn.relu(x * (1 + scale) + shift)


class Up(nn.Module):
    """A residual block that doubles the resolution: transposed convolution, then 3x3; the skip repeats pixels."""

    features: int
    train: bool
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array, style: jax.Array) -> jax.Array:
        """Return [n, 2h, 2w, features] from x [n, h, w, c]."""
        skip = Conv(self.features, 1, use_bias=False, dtype=self.dtype, name="skip")(x)
        skip = jnp.repeat(jnp.repeat(skip, 2, axis=1), 2, axis=2)
        y = StyleNorm(self.train, self.dtype, name="norm_up")(x, style)
        y = ConvTranspose(self.features, kernel_init=he_init, dtype=self.dtype, name="up")(y)
        y = StyleNorm(self.train, self.dtype, name="norm_conv")(y, style)
        return skip + Conv(self.features, 3, kernel_init=he_init, dtype=self.dtype, name="conv")(y)


class Generator(nn.Module):
    """Latents and labels to images; see `build`."""

    num_classes: int
    image: tuple[int, int, int]
    latent: int
    grain: bool
    embedding: int
    width: int
    widest: int
    conditional: bool
    dtype: Any

    @property
    def entries(self) -> int:
        """Entries of a latent, the grain's included."""
        return self.latent + self.image[0] * self.image[1] * self.grain

    @nn.compact
    def __call__(self, latents: jax.Array, labels: jax.Array, *, train: bool = False) -> jax.Array:
        """Return images.

        Args:
            latents: float32 [n, z], standard normal; z is `entries`.
            labels: int32 [n].
            train: normalise by the batch and move the averages.

        Returns:
            float32 [n, h, w, c] in [-1, 1].
        """
        height, width, channels = self.image
        style, grain = latents[:, : self.latent], latents[:, self.latent :]
        if self.conditional:
            label = nn.Embed(self.num_classes, self.embedding, embedding_init=normal_init, name="label")(labels)
            style = jnp.concatenate([style, label], axis=-1)
        style = style.astype(self.dtype)
        levels = halvings(height, width, BASE)
        h, w, c = height >> levels, width >> levels, channels_at(levels, self.width, self.widest)
        x = nn.Dense(h * w * c, dtype=self.dtype, name="base")(style).reshape(-1, h, w, c)
        for level in range(levels - 1, 0, -1):
            features = channels_at(level, self.width, self.widest)
            x = Up(features, train, self.dtype, name=f"up{levels - level}")(x, style)
        x = StyleNorm(train, self.dtype, name="norm")(x, style)
        if self.grain:
            strength = nn.Dense(
                1,
                kernel_init=nn.initializers.normal(0.02),
                bias_init=nn.initializers.ones,
                dtype=self.dtype,
                name="grain",
            )
            grain = rearrange(grain, "n (h i w j) -> n h w (i j)", i=2, j=2, h=height // 2).astype(self.dtype)
            x = jnp.concatenate([x, grain * strength(style)[:, None, None]], axis=-1)
        x = Conv(4 * channels, 3, dtype=self.dtype, name="image")(x)
        return jnp.tanh(rearrange(x, "n h w (i j c) -> n (h i) (w j) c", i=2, j=2).astype(jnp.float32))


def build(
    *,
    num_classes: int,
    image: tuple[int, int, int],
    dtype: Any = jnp.float32,
    conditioning: str = "projection",
    latent: int = 64,
    grain: bool = True,
    embedding: int = 64,
    width: int = 32,
    widest: int = 256,
) -> Networks:
    """Build a generator and its critic.

    By default and at 48x48 gray: G 0.90 M parameters and 25 M multiply-adds, D 1.22 M and 26 M.

    Args:
        num_classes: of the labels.
        image: height, width, channels; both sides halve without remainder down to 8 pixels or fewer.
        dtype: of the computation; parameters, images and logits are float32.
        conditioning: see `fergen.models.gan_critic`.
        latent: entries of the latent beside the grain.
        grain: whether pixels have latent entries of their own.
        embedding: size of the label's embedding in the generator.
        width: channels at half of the resolution, doubled with each halving; 128 for a GPU.
        widest: most channels anywhere, and features of the critic; 512 for a GPU.

    Raises:
        BadInput: an unknown conditioning, an image that does not halve, or a width below 1.
    """
    require_options("dcgan", conditioning, latent=latent, embedding=embedding, width=width, widest=widest)
    height, wide, _ = image
    levels = halvings(height, wide, BASE)
    if not levels or min(height, wide) >> levels > BASE:
        raise BadInput(
            f"model dcgan: images of {height}x{wide}: expected sides that halve evenly down to {BASE} pixels or fewer,"
            " such as 48, 64 or 128"
        )
    return Networks(
        Generator(num_classes, tuple(image), latent, grain, embedding, width, widest, conditioning != "none", dtype),
        Critic(num_classes, conditioning, width, widest, dtype),
    )
