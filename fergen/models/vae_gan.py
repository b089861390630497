"""A GAN whose generator begins as the decoder of a conditional variational autoencoder.

A young generator shows the critic one blurred face per class, and may stay with few. A decoder shows as many faces as
the training set has, blurred, so that the game is about sharpness and expression from its first step: Mariani et al.
2018, BAGAN (arXiv:1803.09655), section 3; Bao et al. 2017, CVAE-GAN (arXiv:1703.10155).

Decoder and encoder are those of `fergen.models.cvae`, whose learned prior carries normal latents to those of a class;
the critic is that of every GAN. What no latent of an autoencoder says, a photograph's grain, joins the image with a
strength of its own from a latent entry per pixel (Karras et al. 2019, arXiv:1812.04948, section 3.2).
"""

from typing import Any

import jax
import jax.numpy as jnp
from einops import rearrange
from flax import linen as nn

from fergen.models import cvae
from fergen.models.gan_critic import Critic, Networks, require_options
from fergen.nn.conv import Conv


class Generator(nn.Module):
    """Latents and labels to images; see `build`.

    Attributes:
        decoder: latents of a class and labels to images.
        prior: noise to latents of a class.
        latent: entries of both.
        image: height, width and channels.
        dtype: of the computation.
    """

    decoder: cvae.Decoder
    prior: cvae.Prior
    latent: int
    image: tuple[int, int, int]
    dtype: Any

    @property
    def entries(self) -> int:
        """Entries of a latent, the grain's included."""
        return self.latent + self.image[0] * self.image[1]

    @nn.compact
    def __call__(self, latents: jax.Array, labels: jax.Array, *, train: bool = False) -> jax.Array:
        """Return images.

        Args:
            latents: float32 [n, z], standard normal; z is `entries`.
            labels: int32 [n].
            train: makes no difference: no layer mixes the images of a batch.

        Returns:
            float32 [n, h, w, c], near [-1, 1].
        """
        noise, grain = latents[:, : self.latent], latents[:, self.latent :]
        # The prior fits latents alone: it is not to please the critic.
        z = jax.lax.stop_gradient(cvae.transport(lambda x, t: self.velocity(x, t, labels), noise))
        height, width, channels = self.image
        grain = rearrange(grain, "n (h i w j) -> n h w (i j)", h=height // 2, i=2, w=width // 2, j=2)
        strength = nn.Dense(
            1, kernel_init=nn.initializers.normal(0.02), bias_init=nn.initializers.ones, dtype=self.dtype, name="grain"
        )(z)
        grain = grain.astype(self.dtype) * strength[:, None, None]
        # At first three hundredths of the range, no more than a camera's.
        layer = Conv(
            4 * channels, 3, use_bias=False, kernel_init=nn.initializers.normal(0.005), dtype=self.dtype, name="conv"
        )
        return self.decode(z, labels) + cvae.into_pixels(layer(grain)).astype(jnp.float32)

    def decode(self, z: jax.Array, labels: jax.Array) -> jax.Array:
        """Return the images float32 [n, h, w, c] of latents z [n, latent], without grain."""
        return self.decoder(z, labels)

    def velocity(self, x: jax.Array, time: jax.Array, labels: jax.Array) -> jax.Array:
        """Return the prior's velocities [n, latent] at x [n, latent] and times [n]."""
        return self.prior(x, time, labels)


def build(
    *,
    num_classes: int,
    image: tuple[int, int, int],
    dtype: Any = jnp.float32,
    conditioning: str = "projection",
    latent: int = 128,
    widths: tuple[int, ...] = (32, 64, 128),
    depths: tuple[int, ...] = (1, 1, 1),
    neck: int = 0,
    prior: int = 256,
    width: int = 16,
    widest: int = 128,
) -> Networks:
    """Build generator, critic and encoder.

    Args:
        num_classes: of the labels.
        image: height, width, channels; both sides divide by 2 as often as there are widths.
        dtype: of the computation; parameters, images and logits are float32.
        conditioning: see `fergen.models.gan_critic`; the generator knows the label in any case.
        latent, widths, depths, neck, prior: of encoder, decoder and prior, as of `fergen.models.cvae.build`.
        width, widest: of the critic.

    Raises:
        BadInput: an unknown conditioning, an image that does not halve, or an option out of range.
    """
    require_options("vae_gan", conditioning, latent=latent, prior=prior, width=width, widest=widest)
    networks = cvae.build(
        num_classes=num_classes,
        image=image,
        latent=latent,
        widths=widths,
        depths=depths,
        neck=neck,
        prior=prior,
        dtype=dtype,
    )
    return Networks(
        generator=Generator(networks.decoder, networks.prior, latent, tuple(image), dtype),
        critic=Critic(num_classes, conditioning, width, widest, dtype),
        encoder=networks.encoder,
    )
