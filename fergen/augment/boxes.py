"""Random rectangles as masks of static shape, for erasing and for cutmix."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


def box_mask(
    *,
    height: int,
    width: int,
    centre_y: Float[Array, "b"],
    centre_x: Float[Array, "b"],
    box_height: Float[Array, "b"],
    box_width: Float[Array, "b"],
) -> Bool[Array, "b h w 1"]:
    """Mark the pixels of one rectangle per image.

    Args:
      height, width: size of the images in pixels.
      centre_y, centre_x: centres in pixels, from the top left corner of the frame.
      box_height, box_width: sides in pixels. What reaches beyond the frame is cut off.

    Returns:
      True where the centre of the pixel lies inside the rectangle.
    """
    ys, xs = jnp.arange(height) + 0.5, jnp.arange(width) + 0.5
    rows = jnp.abs(ys - centre_y[:, None]) < 0.5 * box_height[:, None]
    columns = jnp.abs(xs - centre_x[:, None]) < 0.5 * box_width[:, None]
    return (rows[:, :, None] & columns[:, None, :])[..., None]
