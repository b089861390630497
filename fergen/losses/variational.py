"""The terms of a variational autoencoder's loss: reconstruction, divergence from the prior, and the prior's own fit."""

import math
from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from fergen.core.errors import BadInput

# How an error counts. The last is smooth at 0, within a gray level of images in [-1, 1].
RECONSTRUCTIONS = ("l2", "l1", "charbonnier")
GRAY_LEVEL = 1 / 127.5

Velocity = Callable[[jax.Array, jax.Array], jax.Array]


def pixel_errors(kind: str, residual: Float[Array, "*b h w c"]) -> Float[Array, "*b h w c"]:
    """Return how much each pixel's residual r counts: r^2, |r|, or sqrt(r^2 + e^2) with e of one gray level.

    The last is from Charbonnier et al. 1994, "Two deterministic half-quadratic regularization algorithms".

    Raises:
      BadInput: another kind.
    """
    if kind not in RECONSTRUCTIONS:
        raise BadInput(f"--config.loss.reconstruction={kind}: expected one of {', '.join(RECONSTRUCTIONS)}")
    if kind == "l2":
        return jnp.square(residual)
    return jnp.abs(residual) if kind == "l1" else jnp.sqrt(jnp.square(residual) + GRAY_LEVEL**2)


def reconstruction(
    kind: str,
    residual: Float[Array, "b h w c"],
    *,
    scale: float = 0.0,
    weights: Float[Array, "h w 1"] | None = None,
) -> Float[Array, ""]:
    """Return -log p(x | z) in nats per image, without constants: a sum over pixels and channels, a mean over images.

    The pixels are Gaussian about their reconstruction (kind l2), or Laplacian (l1, and charbonnier nearly). With a
    scale of 0 its value is the one of greatest likelihood for this batch, so that no constant has to balance the terms
    of the loss: Rybkin et al. 2021, "Simple and effective VAE training with calibrated decoders" (arXiv:2006.13202),
    section 3.2, eq. 7.

    Args:
      kind: see `pixel_errors`.
      residual: images in [-1, 1] less their reconstructions.
      scale: of the noise, in units of images: standard deviation for l2, mean absolute deviation for the others; 0 for
        the one of greatest likelihood.
      weights: see `region_weights`.
    """
    errors = pixel_errors(kind, residual)
    if weights is not None:
        errors = errors * weights
    mean, pixels = errors.mean(), math.prod(residual.shape[1:])
    if scale:
        return pixels * (mean / (2 * scale**2) if kind == "l2" else mean / scale)
    # No finer than a gray level: the pixels have no more to tell, and a perfect reconstruction has a finite likelihood.
    if kind == "l2":
        return pixels * jnp.log(jnp.maximum(mean, GRAY_LEVEL**2)) / 2
    return pixels * jnp.log(jnp.maximum(mean, GRAY_LEVEL))


def span(box: Sequence[float], height: int, width: int) -> tuple[slice, slice]:
    """Return the rows and columns whose centres lie in a box (top, left, bottom, right) of coordinates in [0, 1].

    Raises:
      BadInput: the box holds no pixel, or leaves the image.
    """
    if len(box) == 4 and min(box) >= 0 and max(box) <= 1:
        top, left, bottom, right = (math.ceil(x * n - 0.5) for x, n in zip(box, (height, width) * 2))
        if top < bottom and left < right:
            return slice(top, bottom), slice(left, right)
    raise BadInput(
        f"--config.loss.regions: expected boxes (top, left, bottom, right) within [0, 1] with pixels in them, found"
        f" {tuple(box)}"
    )


def region_weights(
    regions: Mapping[str, tuple[Sequence[float], float]], height: int, width: int
) -> Float[Array, "h w 1"] | None:
    """Return how much each pixel counts, with a mean of 1; None where all count the same.

    Args:
      regions: name -> (box, weight): a pixel in the box counts `weight` times as much as one in none. Where boxes
        overlap, the weights are multiplied.
      height, width: of the images.

    Raises:
      BadInput: a box holds no pixel, or leaves the image.
    """
    spans = [(span(box, height, width), weight) for box, weight in regions.values()]
    if all(weight == 1 for _, weight in spans):
        return None
    weights = jnp.ones((height, width, 1))
    for place, weight in spans:
        weights = weights.at[place].multiply(weight)
    return weights / weights.mean()


def kl_per_unit(mean: Float[Array, "*b d"], logvar: Float[Array, "*b d"]) -> Float[Array, "*b d"]:
    """Return KL(N(mean, exp(logvar)) || N(0, 1)) of each unit in nats (Kingma & Welling 2014, appendix B)."""
    return 0.5 * (jnp.square(mean) + jnp.exp(logvar) - 1 - logvar)


def with_free_bits(kl: Float[Array, "b d"], free: float) -> Float[Array, ""]:
    """Sum the units' divergences, each a mean over the batch that costs no less than `free` nats.

    Kingma et al. 2016 (arXiv:1606.04934), appendix C.8, eq. 15, with a group for each unit; free = 0 gives the plain
    divergence, a sum over units and a mean over images.
    """
    return jnp.maximum(kl.mean(0), free).sum()


def warmup(step: jax.typing.ArrayLike, steps: int) -> jax.Array:
    """Return the factor of the divergence, which rises linearly from 1/steps at step 0 to 1; 1 always for steps = 0.

    Bowman et al. 2016 (arXiv:1511.06349), section 3.1; Sonderby et al. 2016 (arXiv:1602.02282), section 2.3.
    """
    return jnp.minimum(1.0, (jnp.asarray(step, jnp.float32) + 1) / max(steps, 1))


def velocity_error(velocity: Velocity, key: Key[Array, ""], latents: Float[Array, "n d"]) -> Float[Array, ""]:
    """Return how far a velocity is from carrying noise to latents: a sum over entries, a mean over rows.

    Noise e and latent z are joined by the path x(t) = cos(pi t / 2) e + sin(pi t / 2) z, which keeps the variance of
    standard normal latents. The best velocity is the expectation of dx/d(pi t / 2) given x and t: Albergo &
    Vanden-Eijnden 2023 (arXiv:2209.15571), eq. 5 and 9; for standard normal latents it is 0. `models.cvae.transport`
    follows it.

    Args:
      velocity: (x [n, d], times [n] in [0, 1]) -> [n, d].
      key: random key.
      latents: z.
    """
    of_noise, of_time = jax.random.split(key)
    noise = jax.random.normal(of_noise, latents.shape)
    time = jax.random.uniform(of_time, (len(latents),))
    cos, sin = (f(jnp.pi / 2 * time)[:, None] for f in (jnp.cos, jnp.sin))
    error = velocity(cos * noise + sin * latents, time) - (cos * latents - sin * noise)
    return jnp.square(error).sum(-1).mean()
