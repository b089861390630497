"""Convolutions that double or halve the resolution through a FIR filter, as StyleGAN2's do.

Doubling: zeros between the pixels, filter, convolve; halving: filter, convolve, keep every other pixel (Karras et al.
2020, arXiv:1912.04958, appendix B). Filter and convolution commute, so doubling convolves first, where three of four
products would be by zero and are left out: a transposed convolution, on the CPU in its sub-pixel form (see
`fergen.nn.conv_transpose`). A window of 1x1 needs the low resolution alone.
"""

import jax
import jax.numpy as jnp
import numpy as np
from einops import rearrange
from jax import lax

from fergen.core import target
from fergen.nn import fir
from fergen.nn.conv import conv2d


def conv_resampled(
    x: jax.Array,
    kernel: jax.Array,
    taps: np.ndarray,
    *,
    up: int = 1,
    down: int = 1,
    padding: int = 0,
    flip: bool = False,
) -> jax.Array:
    """Convolve images and change their resolution.

    Args:
        x: images [n, h, w, i].
        kernel: [k, k, i, o], of the same dtype.
        taps: of the filter, from `fir.normalised`.
        up: 1 or 2, the factor of the resolution.
        down: 1 or 2, its divisor.
        padding: zeros around the image before the convolution; k // 2 keeps the size.
        flip: turn the kernel round: a convolution in the strict sense instead of a correlation.

    Returns:
        [n, h', w', o].
    """
    k = len(kernel)
    kernel = kernel[::-1, ::-1] if flip else kernel
    rows, columns = (_pads(n, up, down, padding) for n in (len(taps), taps.shape[-1]))
    if up == down == 1:
        return conv2d(x, kernel, padding=(rows, columns))
    if down == 1 and k == 1:
        return fir.upfirdn(conv2d(x, kernel), taps, up=(2, 2), pads=(rows, columns), gain=4.0)
    if up == 1 and k == 1:
        return conv2d(fir.upfirdn(x, taps, down=(2, 2), pads=(rows, columns)), kernel)
    if up == 1:
        return conv2d(fir.upfirdn(x, taps, pads=(rows, columns)), kernel, strides=(2, 2), padding=0)
    # The transposed convolution has k - 1 pixels before and k - 2 behind what zeros and filter would have.
    x = transposed(x, kernel)
    rows, columns = ((before - (k - 1), after - (k - 2)) for before, after in (rows, columns))
    x = fir.upfirdn(x, taps, pads=(rows, columns), gain=4.0)
    return fir.upfirdn(x, taps, down=(2, 2)) if down == 2 else x


def _pads(n: int, up: int, down: int, padding: int) -> tuple[int, int]:
    """Return the zeros before and behind an axis, in the widened image, that centre window and filter of n taps."""
    before = after = padding
    if up == 2:
        before, after = before + (n + 1) // 2, after + (n - 2) // 2
    if down == 2:
        before, after = before + (n - 1) // 2, after + (n - 2) // 2
    return before, after


def transposed(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Correlate images, zeros between their pixels and all around, with a kernel: [n, 2 h + k - 2, 2 w + k - 2, o].

    Args:
        x: images [n, h, w, i].
        kernel: [k, k, i, o].
    """
    if len(kernel) == 3 and target.platform() == "cpu":
        return _subpixel(x, kernel)
    edge = (len(kernel) - 1, len(kernel) - 1)
    return lax.conv_general_dilated(
        x, kernel, (1, 1), (edge, edge), lhs_dilation=(2, 2), dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def _subpixel(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Compute the four parities of a 3x3 transposed convolution by one 2x2 convolution.

    Row 2 i is a sum over rows i - 1 and i of x with taps 0 and 2, row 2 i + 1 is row i with tap 1; so are columns.
    """
    n, h, w, _ = x.shape
    # Taps of the parities, by rows and then by columns: [2 (window), 2 (parity), ...].
    padded = jnp.pad(kernel, ((1, 0), (1, 0), (0, 0), (0, 0)))  # a tap of zeros before the one of odd rows
    order = np.array([[1, 0], [3, 2]])  # window, parity -> tap
    taps = padded[order][:, :, order]  # u a v b i o
    z = conv2d(x, rearrange(taps, "u a v b i o -> u v i (a b o)"), padding=1)
    z = rearrange(z, "n h w (a b o) -> n (h a) (w b) o", a=2, b=2)
    return z[:, : 2 * h + 1, : 2 * w + 1]
