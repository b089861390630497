"""Fixed views of an image, for test-time augmentation."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from fergen.core.errors import BadInput

KINDS = ("single", "flip", "five_crop", "ten_crop", "ten_shift")


def views(images: Float[Array, "b h w c"], kind: str, margin: float = 1 / 12) -> Float[Array, "v b h2 w2 c"]:
    """Stack fixed views of every image.

    The four corner windows and the centre window, then their mirror images (ten-crop: Krizhevsky et al. 2012, section
    4.1). Scores of the views are averaged by the caller.

    Args:
      images: float images.
      kind:
          single: the image.
          flip: the image and its mirror image.
          five_crop: windows smaller than the image by `margin`. A `predict` enlarges them to the size it was trained
            on, so faces appear larger, as in training with scaling.
          ten_crop: these and their mirror images.
          ten_shift: windows of the image's own size, shifted by half of `margin` beyond the frame with its edge pixels
            repeated. Size and scale stay as they are; for networks trained with translation.
      margin: part of the height and of the width that is cut away, 4 of 48 pixels by default.

    Returns:
      The views in the order top left, top right, bottom left, bottom right, centre, then mirrored; the centre and its
      mirror image are views 4 and 9 of ten.

    Raises:
      BadInput: the kind is unknown, or the margin leaves nothing or cuts nothing.
    """
    if kind not in KINDS:
        raise BadInput(f"views: expected one of {', '.join(KINDS)}, found {kind!r}")
    if kind == "single":
        return images[None]
    if kind == "flip":
        return _with_mirrored(images[None])
    _, height, width, _ = images.shape
    rows, columns = round(margin * height), round(margin * width)
    if not (0 < rows < height and 0 < columns < width):
        raise BadInput(f"views: a margin of {margin:g} cuts {rows} of {height} rows and {columns} of {width} columns")
    if kind == "ten_shift":
        top, left = rows // 2, columns // 2
        around = ((0, 0), (top, rows - top), (left, columns - left), (0, 0))
        return _with_mirrored(five_crop(jnp.pad(images, around, mode="edge"), (height, width)))
    crops = five_crop(images, (height - rows, width - columns))
    return crops if kind == "five_crop" else _with_mirrored(crops)


def five_crop(images: Float[Array, "b h w c"], size: tuple[int, int]) -> Float[Array, "5 b h2 w2 c"]:
    """Cut the windows at the four corners and in the centre.

    Args:
      images: images.
      size: height and width of the windows, at most those of the images.

    Returns:
      Windows in the order top left, top right, bottom left, bottom right, centre.
    """
    _, height, width, _ = images.shape
    down, right = height - size[0], width - size[1]
    corners = [(0, 0), (0, right), (down, 0), (down, right), (down // 2, right // 2)]
    return jnp.stack([images[:, y : y + size[0], x : x + size[1]] for y, x in corners])


def _with_mirrored(stack: Float[Array, "v b h w c"]) -> Float[Array, "2v b h w c"]:
    return jnp.concatenate([stack, stack[..., ::-1, :]])
