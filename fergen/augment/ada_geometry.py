"""The geometric part of the StyleGAN2-ADA pipeline: one affine map per image, read through an orthogonal wavelet.

The image is widened by its mirror image, brought to twice the resolution with the low-pass filter of sym6, read at
the mapped places by bilinear interpolation, and brought back with the same filter. Widening and filters are linear
and the same for all images, so each axis is one small matrix: on two CPU cores the product for 64 images of 48x48
took as long as shifted sums did, on accelerators it is what they do best, and it is its own transpose backwards.

Reference: Karras et al., Training Generative Adversarial Networks with Limited Data, 2020, appendix B.2 and B.3.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from fergen.augment.ada_settings import Settings
from fergen.augment.geometry import resample

OPS = ("xflip", "rotate90", "xint", "scale", "rotate_before", "aniso", "rotate_after", "xfrac")
Margins = tuple[int, int, int, int]

# Low-pass decomposition filter of the wavelet sym6 (Daubechies' least asymmetric with six vanishing moments); its
# energy is 1 and its sum sqrt(2).
SYM6 = (
    0.015404109327027373,
    0.0034907120842174702,
    -0.11799011114819057,
    -0.048311742585633,
    0.4910559419267466,
    0.787641141030194,
    0.3379294217276218,
    -0.07263752278646252,
    -0.021060292512300564,
    0.04472490177066578,
    0.0017677118642428036,
    -0.007800708325034148,
)
_REACH = len(SYM6) // 4  # pixels that half of the filter covers


def move(
    images: Float[Array, "b h w c"],
    numbers: dict[str, Float[Array, "b k"]],
    settings: Settings,
    *,
    margins: Margins | None = None,
) -> Float[Array, "b h w c"]:
    """Mirror, turn, scale and shift images.

    Args:
      images: float images.
      numbers: parameters by operation, 0 where it is not applied: mirrored or not, quarter turns, whole pixels to the
        right and down, angles in radians, and standard deviations of the scales and of the shift.
      settings: how strong a standard deviation is.
      margins: None, or the padding on the left, on top, on the right and at the bottom. By default it is one pixel
        less than the image on every side, the most that the reference code takes, so that the shapes are static and
        an image does not depend on its neighbours in the batch; this differs from the reference code by up to 5e-5.

    Returns:
      Images of the same size. Those that nothing is applied to come back bit for bit, unless margins are given. Whole
      shifts pass the filters unharmed; mirror images and turns lose a little of the finest detail there, since the
      filter is not quite symmetric, as they do in the reference code.
    """
    height, width = images.shape[1:3]
    matrix = inverse(numbers, settings, (height, width))
    if margins is not None:
        return _filtered(images, matrix, margins)
    moved = _filtered(images, matrix, (width - 1, height - 1, width - 1, height - 1))
    return jnp.where(_any(numbers)[:, None, None, None], moved, images)


def inverse(
    numbers: dict[str, Float[Array, "b k"]], settings: Settings, size: tuple[int, int]
) -> Float[Array, "b 2 3"]:
    """Multiply the inverses of the operations into one map from output (x, y) to source (x, y), in pixels.

    Args:
      numbers: parameters by operation, as for `move`.
      settings: how strong a standard deviation is.
      size: height and width of the images.

    Returns:
      Affine maps between coordinates that are measured from the centres of the images. Quarter turns are exact.
    """
    height, width = size
    zero = jnp.zeros_like(next(iter(numbers.values()))[:, 0])
    rows = ((zero + 1, zero, zero), (zero, zero + 1, zero))

    # Products are written out, because a matrix product may be rounded to TF32 or bfloat16 on accelerators.
    def linear(xx: Array | int, xy: Array | int, yx: Array | int, yy: Array | int) -> None:
        nonlocal rows
        rows = tuple((x * xx + y * yx, x * xy + y * yy, offset) for x, y, offset in rows)

    def shift(right: Array, down: Array) -> None:
        nonlocal rows
        rows = tuple((x, y, offset - x * right - y * down) for x, y, offset in rows)

    def turn(angle: Array) -> None:
        cos, sin = jnp.cos(angle), jnp.sin(angle)
        linear(cos, -sin, sin, cos)

    for name in (name for name in OPS if name in numbers):
        number = numbers[name]
        first, last = number[:, 0], number[:, -1]
        if name == "xflip":
            linear(1 - 2 * first, 0, 0, 1)
        elif name == "rotate90":
            quarters = first.astype(jnp.int32)
            cos, sin = (jnp.array(table, first.dtype)[quarters] for table in ((1, 0, -1, 0), (0, 1, 0, -1)))
            linear(cos, -sin, sin, cos)
        elif name == "xint":
            shift(first, last)
        elif name == "scale":
            factor = jnp.exp2(-settings.scale_std * first)
            linear(factor, 0, 0, factor)
        elif name in ("rotate_before", "rotate_after"):
            turn(first)
        elif name == "aniso":
            factor = jnp.exp2(settings.aniso_std * first)
            linear(1 / factor, 0, 0, factor)
        else:
            shift(first * (settings.xfrac_std * width), last * (settings.xfrac_std * height))
    return jnp.stack([jnp.stack(row, axis=-1) for row in rows], axis=1)


def margins_of(matrix: Float[Array, "b 2 3"], size: tuple[int, int]) -> Margins:
    """Find the padding of the reference code: how far the corners of any image of the batch reach, and the filter.

    Args:
      matrix: concrete maps from `inverse`.
      size: height and width of the images.

    Returns:
      Pixels on the left, on top, on the right and at the bottom.
    """
    half = np.array([(size[1] - 1) / 2, (size[0] - 1) / 2])
    corners = half * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    maps = np.asarray(matrix, np.float64)
    reached = maps[:, :, :2] @ corners.T + maps[:, :, 2:]
    excess = np.concatenate([(-reached).max((0, 2)), reached.max((0, 2))]) + 2 * _REACH - np.tile(half, 2)
    left, top, right, bottom = np.ceil(np.clip(excess, 0, np.tile(2 * half, 2))).astype(int).tolist()
    return left, top, right, bottom


def _any(numbers: dict[str, Float[Array, "b k"]]) -> Bool[Array, "b"]:
    """Say which images any geometric operation reaches."""
    return jnp.concatenate([numbers[name] != 0 for name in OPS if name in numbers], axis=1).any(axis=1)


def _filtered(
    images: Float[Array, "b h w c"], matrix: Float[Array, "b 2 3"], margins: Margins
) -> Float[Array, "b h w c"]:
    """Read images through affine maps at twice their resolution."""
    b, height, width, channels = images.shape
    left, top, right, bottom = margins
    # Channels become images, so that the matrices meet contiguous rows: twice as fast for three of them on a CPU.
    planes = images.transpose(0, 3, 1, 2).reshape(b * channels, height, width)
    doubled = _both_axes(_doubling(height, top, bottom), planes, _doubling(width, left, right))
    # Both grids are measured from their centres; output sample s stands for the output place (s + 1/2) / 2, and the
    # source place o for the sample 2 o - 1/2, because the taps of the filter fall between the pixels.
    shift = matrix[:, :, :2].sum(-1) / 2 + 2 * matrix[:, :, 2] - 0.5 + jnp.array([left - right, top - bottom])
    maps = jnp.repeat(jnp.concatenate([matrix[:, :, :2], shift[:, :, None]], axis=2), channels, axis=0)
    size = (2 * height + len(SYM6) - 2, 2 * width + len(SYM6) - 2)
    # Beyond the padding all is 0: the edge of `doubled` is a ring of zeros.
    samples = resample(doubled[..., None], maps, size=size, padding="edge")[..., 0].astype(images.dtype)
    moved = _both_axes(_halving(height), samples, _halving(width))
    return moved.reshape(b, channels, height, width).transpose(0, 2, 3, 1)


def _both_axes(rows: np.ndarray, planes: Float[Array, "n h w"], columns: np.ndarray) -> Float[Array, "n h2 w2"]:
    """Multiply the rows and the columns of planes by matrices."""
    left, right = jnp.asarray(rows, planes.dtype), jnp.asarray(columns, planes.dtype)
    return jnp.einsum("yh,nhw,xw->nyx", left, planes, right, precision=jax.lax.Precision.HIGHEST)


def _doubling(length: int, before: int, after: int) -> np.ndarray:
    """Make the matrix that mirrors an axis outwards, doubles its resolution, and puts a zero at either end."""
    wide = np.pad(np.eye(length), ((before, after), (0, 0)), mode="reflect")
    spread = np.zeros((2 * len(wide), length))
    spread[::2] = wide
    taps = math.sqrt(2) * np.array(SYM6)
    start = len(SYM6) // 2 - 1
    columns = [np.convolve(column, taps)[start : start + len(spread)] for column in spread.T]
    return np.pad(np.stack(columns, axis=1), ((1, 1), (0, 0)))


def _halving(length: int) -> np.ndarray:
    """Make the matrix from the samples of an axis to its pixels: the transpose of the doubling, scaled to sum 1."""
    matrix = np.zeros((length, 2 * length + len(SYM6) - 2))
    for row in range(length):
        matrix[row, 2 * row : 2 * row + len(SYM6)] = np.array(SYM6) / math.sqrt(2)
    return matrix
