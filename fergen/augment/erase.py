"""Random erasing: one rectangle of an image is covered.

Zhong et al., "Random Erasing Data Augmentation", AAAI 2020.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from fergen.augment.boxes import box_mask


def random_erase(
    key: Key[Array, ""],
    images: Float[Array, "b h w c"],
    *,
    probability: float,
    area: tuple[float, float] = (0.02, 0.33),
    aspect: float = 0.3,
    fill: float | None = None,
) -> Float[Array, "b h w c"]:
    """Cover a random rectangle of some images (Zhong et al. 2020, algorithm 1).

    The paper draws again until the rectangle fits. Here its sides are cut to the frame instead, so that every draw
    is used and the shapes stay static; only long rectangles of the largest areas come out smaller than drawn.

    Args:
      key: random key.
      images: float images in [-1, 1].
      probability: chance that an image is erased.
      area: least and greatest part of the image that is covered.
      aspect: height over width is drawn log-uniformly from aspect to 1 / aspect.
      fill: value of the covered pixels; None draws one level per image and channel.

    Returns:
      Images of which some carry a rectangle of one colour.
    """
    b, height, width, channels = images.shape
    draws = jax.random.uniform(key, (5 + channels, b))
    part = area[0] + (area[1] - area[0]) * draws[1]
    ratio = jnp.exp((2.0 * draws[2] - 1.0) * jnp.log(aspect))
    box_height = jnp.minimum(jnp.sqrt(part * height * width * ratio), height)
    box_width = jnp.minimum(jnp.sqrt(part * height * width / ratio), width)
    # The rectangle lies wholly inside the frame.
    mask = box_mask(
        height=height,
        width=width,
        centre_y=0.5 * box_height + draws[3] * (height - box_height),
        centre_x=0.5 * box_width + draws[4] * (width - box_width),
        box_height=box_height,
        box_width=box_width,
    )
    chosen = (draws[0] < probability)[:, None, None, None]
    level = (2.0 * draws[5:].T - 1.0)[:, None, None, :] if fill is None else fill
    return jnp.where(mask & chosen, level, images)
