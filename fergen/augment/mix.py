"""Mixing of pairs of images and of their labels.

The partner of an image is its neighbour in the batch. Batches are shuffled, so that this is a random partner, never
the image itself, and costs no random permutation (and between devices one exchange of borders instead of a gather).
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from fergen.augment.boxes import box_mask


def mixup(
    key: Key[Array, ""],
    images: Float[Array, "b h w c"],
    labels: Float[Array, "b n"],
    *,
    alpha: float,
    probability: float = 1.0,
) -> tuple[Float[Array, "b h w c"], Float[Array, "b n"]]:
    """Blend each image, and its label, with a partner.

    x = lam x_i + (1 - lam) x_j, y = lam y_i + (1 - lam) y_j, lam ~ Beta(alpha, alpha) for every image.
    Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018, section 1.

    Args:
      key: random key.
      images: float images.
      labels: label distributions, rows sum to 1.
      alpha: parameter of the Beta distribution; greater mixes more evenly.
      probability: chance that an image is mixed.

    Returns:
      Mixed images and mixed labels.
    """
    share = _share(key, images.shape[0], alpha, probability)

    def mixed(images: Array, labels: Array) -> tuple[Array, Array]:
        return _blend(images, share[:, None, None, None]), _blend(labels, share[:, None])

    return _unless_whole(share, mixed, images, labels)


def cutmix(
    key: Key[Array, ""],
    images: Float[Array, "b h w c"],
    labels: Float[Array, "b n"],
    *,
    alpha: float,
    probability: float = 1.0,
) -> tuple[Float[Array, "b h w c"], Float[Array, "b n"]]:
    """Paste a rectangle of a partner into each image and mix the labels by the area that was pasted.

    The rectangle has the sides W sqrt(1 - lam), H sqrt(1 - lam) with lam ~ Beta(alpha, alpha), a uniform centre, and
    is cut at the frame; labels follow the pixels that are really replaced.
    Yun et al., "CutMix", ICCV 2019, eq. 1 and 2.

    Args:
      key: random key.
      images: float images.
      labels: label distributions, rows sum to 1.
      alpha: parameter of the Beta distribution.
      probability: chance that an image is mixed.

    Returns:
      Mixed images and mixed labels.
    """
    b, height, width, _ = images.shape
    share_key, centre_key = jax.random.split(key)
    side = jnp.sqrt(1.0 - _share(share_key, b, alpha, probability))
    centre = jax.random.uniform(centre_key, (2, b))
    mask = box_mask(
        height=height,
        width=width,
        centre_y=centre[0] * height,
        centre_x=centre[1] * width,
        box_height=side * height,
        box_width=side * width,
    )
    share = 1.0 - mask.mean(axis=(1, 2, 3))

    def mixed(images: Array, labels: Array) -> tuple[Array, Array]:
        return jnp.where(mask, _partner(images), images), _blend(labels, share[:, None])

    return _unless_whole(share, mixed, images, labels)


def mix(
    key: Key[Array, ""],
    images: Float[Array, "b h w c"],
    labels: Float[Array, "b n"],
    *,
    mixup_alpha: float = 0.0,
    cutmix_alpha: float = 0.0,
    probability: float = 1.0,
) -> tuple[Float[Array, "b h w c"], Float[Array, "b n"]]:
    """Mix by mixup or cutmix; where both have an alpha, every batch tosses a coin for one of them.

    Args:
      key: random key.
      images: float images.
      labels: label distributions, rows sum to 1.
      mixup_alpha, cutmix_alpha: parameters of the Beta distributions; 0 turns a way of mixing off.
      probability: chance that an image is mixed.

    Returns:
      Mixed images and mixed labels.
    """
    if not cutmix_alpha:
        return mixup(key, images, labels, alpha=mixup_alpha, probability=probability)
    if not mixup_alpha:
        return cutmix(key, images, labels, alpha=cutmix_alpha, probability=probability)
    coin_key, mix_key = jax.random.split(key)
    return jax.lax.cond(
        jax.random.bernoulli(coin_key),
        lambda: mixup(mix_key, images, labels, alpha=mixup_alpha, probability=probability),
        lambda: cutmix(mix_key, images, labels, alpha=cutmix_alpha, probability=probability),
    )


def _share(key: Array, b: int, alpha: float, probability: float) -> Float[Array, "b"]:
    """Draw the part that each image keeps of itself; 1 where it is not mixed."""
    chosen, uniform = jax.random.uniform(key, (2, b))
    return jnp.where(chosen < probability, _beta(uniform, alpha), 1.0)


def _beta(uniform: Float[Array, "b"], alpha: float) -> Float[Array, "b"]:
    """Map uniform draws to Beta(alpha, alpha) through a table of its quantiles.

    Closer than 0.001 in probability, which no training can see, and without the rejection loops of the exact sampler,
    which take XLA longer to compile on a CPU than all the rest of the augmentation.
    """
    from scipy.special import betaincinv

    knots = np.linspace(0.0, 1.0, 1025)
    return jnp.interp(uniform, knots.astype(np.float32), betaincinv(alpha, alpha, knots).astype(np.float32))


def _unless_whole(
    share: Float[Array, "b"], mixed: Callable[[Array, Array], tuple[Array, Array]], images: Array, labels: Array
) -> tuple[Array, Array]:
    """Mix unless every image keeps the whole of itself.

    The branch has a second use: it ends XLA's fusion. Fused with the resampling before it, the partner's pixels would
    be resampled once more in a slow loop: 9 ms for 128 images of 48x48 on a CPU instead of 1.5.
    """
    return jax.lax.cond((share < 1.0).any(), mixed, lambda images, labels: (images, labels), images, labels)


def _partner(values: Array) -> Array:
    return jnp.roll(values, 1, axis=0)


def _blend(values: Array, share: Array) -> Array:
    return share * values + (1.0 - share) * _partner(values)
