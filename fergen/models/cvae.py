"""A conditional variational autoencoder: encoder, decoder, and a prior of the latents that is learned beside them.

Kingma & Welling 2014 (arXiv:1312.6114), conditioned as in Sohn et al. 2015 (NeurIPS 28). The label modulates every
block of the encoder and, together with the latent, every block of the decoder (Perez et al. 2018, arXiv:1709.07871), so
that no resolution has to infer it from the latent. No layer mixes the images of a batch: reconstructions, samples and
training see the same function.

All convolutions run at half the image's resolution and below: each 2x2 pixels enter as channels and leave as channels,
and so does each doubling of resolution in between (Shi et al. 2016, arXiv:1609.05158, section 2.2).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from einops import rearrange
from flax import linen as nn

from fergen.core.errors import BadInput
from fergen.nn import ode
from fergen.nn.conv import Conv

EMBEDDING = 128  # entries of the style vectors that modulate the blocks
FREQUENCIES = 16  # of the prior's embedding of time
PRIOR_BLOCKS = 3

# He et al. 2015 (arXiv:1502.01852), eq. 10: the variance that keeps activations behind rectifiers constant.
he_init = nn.initializers.variance_scaling(2.0, "fan_in", "normal")
# Embeddings of labels stand beside latents, whose entries are of size 1.
normal_init = nn.initializers.normal(1.0)


class Networks(NamedTuple):
    """The three networks: see `Encoder`, `Decoder` and `Prior` (None where latents are standard normal as they are)."""

    encoder: Any
    decoder: Any
    prior: Any


class Modulated(nn.Module):
    """Scale each pixel's features to mean square 1, then scale and shift channels as a style says; SiLU follows.

    The scaling is RMSNorm (Zhang & Sennrich 2019, arXiv:1910.07467, eq. 4) over channels: unlike batch or instance
    normalisation it leaves images and places apart.

    Attributes:
        dtype: of the computation.
    """

    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array, style: jax.Array) -> jax.Array:
        """Return feature maps of the shape of x [n, h, w, c]; style is [n, s]."""
        affine = nn.Dense(
            2 * x.shape[-1], kernel_init=nn.initializers.normal(0.02), dtype=self.dtype, name="scale_shift"
        )
        scale, shift = jnp.split(affine(style)[:, None, None], 2, axis=-1)
        return nn.silu(rms_norm(x) * (1 + scale) + shift)


class Block(nn.Module):
    """A residual block: modulation, then a 3x3 convolution that begins at zero, so that the net begins shallow."""

    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array, style: jax.Array) -> jax.Array:
        """Return feature maps of the shape of x [n, h, w, c]; style is [n, s]."""
        y = Modulated(self.dtype, name="modulated")(x, style)
        return x + Conv(x.shape[-1], 3, kernel_init=nn.initializers.zeros, dtype=self.dtype, name="conv")(y)


class Encoder(nn.Module):
    """Images and labels to the moments of the posterior, q(z | x, y) = N(mean, exp(logvar)).

    Attributes:
        num_classes: of the labels.
        latent: entries of z.
        widths: channels at a half, a quarter, ... of the image's resolution.
        depths: blocks at each.
        neck: channels of the map that the latents are read from; 0 for all of the last width.
        dtype: of the computation.
    """

    num_classes: int
    latent: int
    widths: tuple[int, ...]
    depths: tuple[int, ...]
    neck: int
    dtype: Any

    @nn.compact
    def __call__(self, images: jax.Array, labels: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Map images float32 [n, h, w, c] in [-1, 1] and labels int32 [n] to mean and logvar, float32 [n, latent]."""
        style = nn.Embed(self.num_classes, EMBEDDING, embedding_init=normal_init, name="label")(labels)
        x = images.astype(self.dtype)
        for stage, (width, depth) in enumerate(zip(self.widths, self.depths, strict=True)):
            x = into_channels(x)
            # Pixels take a window; below, a product of each 2x2 features is enough, at an eighth of its cost.
            x = Conv(width, 1 if stage else 3, kernel_init=he_init, dtype=self.dtype, name=f"stage{stage}_in")(x)
            for block in range(depth):
                x = Block(self.dtype, name=f"stage{stage}_block{block}")(x, style)
        x = Modulated(self.dtype, name="out_modulated")(x, style)
        if self.neck:
            x = Conv(self.neck, 1, dtype=self.dtype, name="neck")(x)
        x = x.reshape(x.shape[0], -1).astype(jnp.float32)
        # At first z is hardly noisy and of size 1, so that the decoder learns from it before the KL term weighs.
        mean = nn.Dense(self.latent, name="mean")(x)
        logvar = nn.Dense(self.latent, kernel_init=nn.initializers.normal(1e-3), name="logvar")(x) - 2
        return mean, logvar


class Decoder(nn.Module):
    """Latents and labels to images, the mean of p(x | z, y).

    Attributes:
        num_classes: of the labels.
        image: height, width and channels.
        widths, depths, neck: as of the encoder.
        dtype: of the computation.
    """

    num_classes: int
    image: tuple[int, int, int]
    widths: tuple[int, ...]
    depths: tuple[int, ...]
    neck: int
    dtype: Any

    @nn.compact
    def __call__(self, latents: jax.Array, labels: jax.Array) -> jax.Array:
        """Map latents float32 [n, latent] and labels int32 [n] to images float32 [n, h, w, c], near [-1, 1]."""
        (height, width, channels), scale = self.image, 2 ** len(self.widths)
        height, width = height // scale, width // scale
        z = latents.astype(self.dtype)
        label = nn.Embed(self.num_classes, EMBEDDING, embedding_init=normal_init, dtype=self.dtype, name="label")
        style = nn.silu(label(labels) + nn.Dense(EMBEDDING, dtype=self.dtype, name="style")(z))
        x = nn.Dense(height * width * (self.neck or self.widths[-1]), dtype=self.dtype, name="in")(z)
        x = x.reshape(z.shape[0], height, width, -1)
        if self.neck:
            x = Conv(self.widths[-1], 1, dtype=self.dtype, name="neck")(x)
        for stage in reversed(range(len(self.widths))):
            for block in range(self.depths[stage]):
                x = Block(self.dtype, name=f"stage{stage}_block{block}")(x, style)
            x = Modulated(self.dtype, name=f"stage{stage}_modulated")(x, style)
            out = 4 * (self.widths[stage - 1] if stage else channels)
            x = into_pixels(Conv(out, 3, kernel_init=he_init, dtype=self.dtype, name=f"stage{stage}_out")(x))
        return x.astype(jnp.float32)


class Prior(nn.Module):
    """The velocity that carries standard normal noise to latents of a class, in time [0, 1]; see `transport`.

    The last layer begins at zero: without training the prior is the standard normal.

    Attributes:
        num_classes: of the labels; the label of this number stands for no label.
        width: of the hidden layers.
    """

    num_classes: int
    width: int

    @nn.compact
    def __call__(self, x: jax.Array, time: jax.Array, labels: jax.Array) -> jax.Array:
        """Map x float32 [n, latent], times float32 [n] and labels int32 [n] to velocities [n, latent]."""
        angles = time[:, None] * jnp.pi * jnp.arange(1, FREQUENCIES + 1)
        waves = jnp.concatenate([jnp.cos(angles), jnp.sin(angles)], axis=-1)
        style = nn.Dense(EMBEDDING, name="time")(waves)
        style += nn.Embed(self.num_classes + 1, EMBEDDING, embedding_init=normal_init, name="label")(labels)
        style = nn.silu(style)
        h = nn.Dense(self.width, name="in")(x)
        for i in range(PRIOR_BLOCKS):
            scale, shift = jnp.split(nn.Dense(2 * self.width, name=f"block{i}_scale_shift")(style), 2, axis=-1)
            y = nn.silu(rms_norm(h) * (1 + scale) + shift)
            h += nn.Dense(self.width, name=f"block{i}_dense")(y)
        return nn.Dense(x.shape[-1], kernel_init=nn.initializers.zeros, name="out")(rms_norm(h))


def transport(
    velocity: Callable[[jax.Array, jax.Array], jax.Array], x: jax.Array, steps: int = 8, *, back: bool = False
) -> jax.Array:
    """Carry noise to latents along a velocity, or latents back to their noise, by Heun's method.

    The steps are unrolled, for XLA's CPU backend runs the body of a loop on one core. Few are enough: the path is
    nearly straight, for latents are nearly normal to begin with.

    Args:
        velocity: (x [n, d], times [n] in [0, 1]) -> dx/d(pi t / 2), as `losses.variational.velocity_error` fits it.
        x: float32 [n, d]: noise, standard normal, at t = 0; or latents, at t = 1.
        steps: of the way.
        back: go from t = 1 to t = 0.
    """

    def by_time(x: jax.Array, t: jax.Array) -> jax.Array:
        if back:
            return -jnp.pi / 2 * velocity(x, jnp.full(x.shape[0], 1 - t))
        return jnp.pi / 2 * velocity(x, jnp.full(x.shape[0], t))

    for i in range(steps):
        x = ode.step("heun", by_time, x, i, steps)
    return x


def rms_norm(x: jax.Array) -> jax.Array:
    """Scale the last axis to mean square 1."""
    return x * jax.lax.rsqrt(jnp.square(x).mean(-1, keepdims=True) + 1e-6)


def into_channels(x: jax.Array) -> jax.Array:
    """Move each 2x2 pixels into channels: [n, h, w, c] -> [n, h/2, w/2, 4c]."""
    return rearrange(x, "n (h i) (w j) c -> n h w (i j c)", i=2, j=2)


def into_pixels(x: jax.Array) -> jax.Array:
    """Undo `into_channels`."""
    return rearrange(x, "n h w (i j c) -> n (h i) (w j) c", i=2, j=2)


def build(
    *,
    num_classes: int,
    image: tuple[int, int, int],
    latent: int = 128,
    widths: tuple[int, ...] = (32, 64, 128),
    depths: tuple[int, ...] = (1, 1, 1),
    neck: int = 0,
    prior: int = 512,
    dtype: Any = jnp.float32,
) -> Networks:
    """Build the networks.

    Args:
        num_classes: of the labels.
        image: height, width and channels.
        latent: entries of z.
        widths: channels at a half, a quarter, ... of the image's resolution.
        depths: residual blocks at each.
        neck: channels between the last width and the latents, whose dense layers hold most of the parameters; 0 for
            the last width itself.
        prior: width of the learned prior's hidden layers; 0 for a standard normal prior.
        dtype: of the computation; parameters are float32. The prior computes in float32.

    Raises:
        BadInput: widths and depths differ in number, or the image does not divide that often by 2.
    """
    widths, depths = tuple(widths), tuple(depths)
    if len(widths) != len(depths) or not widths:
        raise BadInput(f"model cvae: expected as many widths as depths, found {widths} and {depths}")
    if latent < 1 or prior < 0 or neck < 0:
        raise BadInput(
            f"model cvae: expected latent of 1 or more, prior and neck of 0 or more, found {latent}, {prior} and {neck}"
        )
    scale = 2 ** len(widths)
    if image[0] % scale or image[1] % scale:
        raise BadInput(
            f"model cvae: {len(widths)} widths halve images as often; {image[0]}x{image[1]} do not divide by {scale}"
        )
    return Networks(
        encoder=Encoder(num_classes, latent, widths, depths, neck, dtype),
        decoder=Decoder(num_classes, tuple(image), widths, depths, neck, dtype),
        prior=Prior(num_classes, prior) if prior else None,
    )
