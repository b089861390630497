"""FIR resampling of images: put zeros between the pixels, filter, keep every so many of them.

The filters of StyleGAN2 (Karras et al. 2020, arXiv:1912.04958, appendix B) are products of two small windows, so each
axis is a pass of its own: a sum of as many shifted images as the window has taps. Where zeros were put in, the taps
that would meet them are left out, and the phases of the output interleave. Compilers fuse such a pass into one loop
over memory on every platform, while depthwise convolutions are slow on CPUs; its derivatives of any order are sums of
the same kind.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

Pads = tuple[tuple[int, int], tuple[int, int]]


def normalised(taps: Sequence) -> np.ndarray:
    """Return taps scaled to sum 1: a window [k] for both axes, or a filter [k, l] of the plane.

    The reference code makes a plane of windows below 8 taps, and holds filters in single precision. Where that leaves
    no product of two windows, as for (1, 2, 4, 3), the plane is what counts here too.
    """
    given = np.asarray(taps, np.float64)
    if given.ndim not in (1, 2) or not given.sum():
        raise ValueError(f"expected taps of a sum other than 0 in one or two dimensions, found {taps}")
    scaled = _rounded(given / given.sum())
    if given.ndim == 2 or len(given) >= 8:
        return scaled
    plane = np.outer(given, given)
    plane = _rounded(plane / plane.sum())
    return scaled if np.array_equal(np.outer(scaled, scaled), plane) else plane


def _rounded(taps: np.ndarray) -> np.ndarray:
    """Round to single precision, in double."""
    return taps.astype(np.float32).astype(np.float64)


def upfirdn(
    x: Float[Array, "n h w c"],
    taps: np.ndarray,
    *,
    up: tuple[int, int] = (1, 1),
    down: tuple[int, int] = (1, 1),
    pads: Pads = ((0, 0), (0, 0)),
    gain: float = 1.0,
) -> Float[Array, "n h2 w2 c"]:
    """Put zeros behind each pixel, pad, convolve, and keep every so many pixels.

    It is a convolution in the strict sense: the taps are turned round. Turn them before for a correlation.

    Args:
      x: images.
      taps: a window [k] for both axes, or a filter [k, l].
      up: pixels that each becomes, itself and zeros, down and to the right.
      down: of so many pixels of the result one is kept.
      pads: zeros above and below, on the left and on the right, in the widened image; negative ones cut off.
      gain: of the result.
    """
    if taps.ndim == 2:
        return _plane(x, gain * taps, up, down, pads)
    for axis in (1, 2):
        x = _along(x, np.sqrt(gain) * taps, axis, up[axis - 1], down[axis - 1], pads[axis - 1])
    return x


def upsample(x: Float[Array, "n h w c"], taps: np.ndarray) -> Float[Array, "n h2 w2 c"]:
    """Double the resolution; a constant image keeps its value inside."""
    rows, columns = (((n + 1) // 2, (n - 2) // 2) for n in _size(taps))
    return upfirdn(x, taps, up=(2, 2), pads=(rows, columns), gain=4.0)


def downsample(x: Float[Array, "n h w c"], taps: np.ndarray) -> Float[Array, "n h2 w2 c"]:
    """Halve the resolution; a constant image keeps its value inside."""
    rows, columns = (((n - 1) // 2, (n - 2) // 2) for n in _size(taps))
    return upfirdn(x, taps, down=(2, 2), pads=(rows, columns))


def _size(taps: np.ndarray) -> tuple[int, int]:
    """Return rows and columns of the filter."""
    return (len(taps), taps.shape[-1])


def _along(x: jax.Array, taps: np.ndarray, axis: int, up: int, down: int, pads: tuple[int, int]) -> jax.Array:
    """Resample one axis."""
    taps, before = taps[::-1], pads[0]
    long = x.shape[axis] * up + sum(pads) - len(taps) + 1  # of the filtered axis, before pixels are dropped
    if up > 1:
        # Output up q + r, of phase r, meets pixel q + (r + j - before) / up through tap j, where that divides.
        phases = [
            [(j, (r + j - before) // up) for j in range(len(taps)) if not (r + j - before) % up] for r in range(up)
        ]
        each = -(-long // up)
        places = [place for phase in phases for _, place in phase]
        x = _padded(x, axis, -min(places), each + max(places) - x.shape[axis])
        sums = [_sum(x, axis, [(taps[j], place - min(places)) for j, place in phase], each, 1) for phase in phases]
        x = jnp.stack(sums, axis + 1).reshape(*x.shape[:axis], up * each, *x.shape[axis + 1 :])
        return lax.slice_in_dim(x, 0, long, down, axis)
    x = _padded(x, axis, *pads)
    return _sum(x, axis, list(zip(taps, range(len(taps)))), -(-long // down), down)


def _padded(x: jax.Array, axis: int, before: int, after: int) -> jax.Array:
    """Pad an axis with zeros; negative numbers cut off."""
    widths = [(before, after, 0) if i == axis else (0, 0, 0) for i in range(x.ndim)]
    return lax.pad(x, jnp.zeros((), x.dtype), widths)


def _sum(x: jax.Array, axis: int, terms: list[tuple[float, int]], long: int, stride: int) -> jax.Array:
    """Sum weighted images that begin at some place of an axis; a phase that no tap meets is zero."""
    parts = [
        lax.slice_in_dim(x, place, place + (long - 1) * stride + 1, stride, axis) * jnp.asarray(tap, x.dtype)
        for tap, place in terms
    ]
    if not parts:
        return jnp.zeros_like(lax.slice_in_dim(x, 0, long, 1, axis))
    return sum(parts[1:], parts[0])


def _plane(x: jax.Array, taps: np.ndarray, up: tuple[int, int], down: tuple[int, int], pads: Pads) -> jax.Array:
    """Resample with a filter that is no product: one convolution, in which channels are images."""
    n, h, w, c = x.shape
    planes = jnp.moveaxis(x, -1, 1).reshape(n * c, h, w, 1)
    # Zeros behind the last pixel too, which dilation leaves out.
    edges = [(before, after + u - 1) for (before, after), u in zip(pads, up)]
    kernel = jnp.asarray(taps[::-1, ::-1, None, None], x.dtype)
    planes = lax.conv_general_dilated(
        planes, kernel, down, edges, lhs_dilation=up, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    return jnp.moveaxis(planes.reshape(n, c, *planes.shape[1:3]), 1, -1)
