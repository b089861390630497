"""Convolve each channel with a window of its own, on CPUs, where XLA's form reaches 1-4 GFLOP/s."""

from functools import partial

import jax
import jax.numpy as jnp

from fergen.nn.winograd import Pads


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def depthwise(x: jax.Array, kernel: jax.Array, strides: tuple[int, int], pads: Pads) -> jax.Array:
    """Convolve each channel with its own window, as a sum of shifted products that the compiler fuses into one pass.

    Measured milliseconds of CPU time (batch 16, float32, "same" padding; best of 3): this form, and XLA's own.

        shape, window, stride       forward      input gradient   kernel gradient
        64x64   32  3x3  1        1.4    47.3      2.4    46.0      42.9    25.8
        64x64   96  3x3  2        3.3    36.4      3.0   500.4      10.5    38.5
        32x32  144  5x5  2        2.2    21.0     13.1   319.2      32.1    32.0
        16x16  240  5x5  1        1.8    33.6      7.0    33.8      72.1    70.1
         8x8   480  3x3  1        0.3    11.5      0.7    10.9       2.3    32.0
         4x4  1152  5x5  1        0.9    41.6      1.9    41.0       4.3   232.7

    The kernel gradient was one reduction for each element of the window; `_kernel_gradient` takes 2 to 6 ms for the
    first and fourth row, where that took 28 to 32 (alone, AVX-512).

    That input gradient was what differentiation makes of the sum: slow where the stride is 2 and a clipped activation
    stands before, for then zeros between the gradients are computed one by one. `_depthwise_bwd` has a form of its own:
    EfficientNet-Lite0's maps of 32 images of 48x48 and their gradient took 473 ms, and take 136 (2 AVX2 cores, training
    beside).

    Args:
        x: images [B, H, W, C].
        kernel: [kh, kw, 1, C].
        strides: of the window, rows and columns.
        pads: zeros before and after, rows and columns.

    Returns:
        [B, H', W', C].
    """
    return _shifted(x, kernel, strides, pads)


def _shifted(x, kernel, strides, pads):
    elements = kernel.reshape(-1, kernel.shape[-1])
    met = _met(x, kernel.shape[:2], strides, pads)
    return sum(pixels * element for pixels, element in zip(met, elements, strict=True)).astype(x.dtype)


def _met(x, window, strides, pads):
    """Return the pixels that each element of the window meets, row by row, each [B, H', W', C].

    In single precision at least: what becomes of them is summed.
    """
    (kh, kw), (down, right) = window, strides
    padded = jnp.pad(x, ((0, 0), *pads, (0, 0)))
    rows, cols = (padded.shape[1] - kh) // down * down + 1, (padded.shape[2] - kw) // right * right + 1
    kind = jnp.promote_types(x.dtype, jnp.float32)
    return [padded[:, i : i + rows : down, j : j + cols : right].astype(kind) for i in range(kh) for j in range(kw)]


def _depthwise_fwd(x, kernel, strides, pads):
    return _shifted(x, kernel, strides, pads), (x, kernel)


def _depthwise_bwd(strides, pads, saved, g):
    x, kernel = saved
    # The gradient of the padded image at every s-th row, s the stride, is a convolution of its own with every s-th row
    # of the mirrored window: no zeros are multiplied, and the interleaving is a copy that nothing is fused into.
    size = [n + sum(pad) for n, pad in zip(x.shape[1:3], pads)]
    tall, wide = (-(-n // s) for n, s in zip(size, strides))
    phases = []
    for row in range(strides[0]):
        for column in range(strides[1]):
            part = kernel[row :: strides[0], column :: strides[1]][::-1, ::-1]
            if part.size:
                around = [(k - 1, n - m) for k, n, m in zip(part.shape, (tall, wide), g.shape[1:3])]
                phases.append(_shifted(g, part, (1, 1), around))
            else:
                phases.append(jnp.zeros((len(x), tall, wide, x.shape[-1]), x.dtype))
    dx = jnp.stack(phases).reshape(*strides, len(x), tall, wide, x.shape[-1]).transpose(2, 3, 0, 4, 1, 5)
    dx = dx.reshape(len(x), tall * strides[0], wide * strides[1], x.shape[-1])
    (top, _), (left, _) = pads
    dx = dx[:, top : top + x.shape[1], left : left + x.shape[2]]
    return dx, _kernel_gradient(x, g, kernel, strides, pads)


def _kernel_gradient(x, g, kernel, strides, pads):
    """Sum what each element of the window meets: over columns written out, one pass that stays in vectors of channels.

    A reduction over rows and columns at once leaves them, and takes up to 15 times as long (as long for a 3x3 window of
    stride 2 over 48x48 pixels of 96 channels).
    """
    met, columns = _met(x, kernel.shape[:2], strides, pads), range(g.shape[2])
    each = jnp.stack([sum(pixels[:, :, column] * g[:, :, column] for column in columns) for pixels in met])
    total = jnp.einsum("bh,kbhc->kc", jnp.ones(g.shape[:2], each.dtype), each)
    return total.reshape(kernel.shape).astype(kernel.dtype)


depthwise.defvjp(_depthwise_fwd, _depthwise_bwd)
