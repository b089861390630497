"""Convolve images: `nn.Conv`'s parameters and results in the form that the platform runs fastest.

XLA's CPU backend runs a stride-1 3x3 convolution at 120-220 GFLOP/s on two AVX-512 cores, and so its gradient with
respect to the input, which is a convolution too. The gradient with respect to the kernel is lowered to a convolution
whose window is the whole image; of many channels it reaches 25-90 GFLOP/s and costs as much as all the rest. Depthwise
convolutions reach 1-4 GFLOP/s forward already. GPUs and TPUs have no such holes, so only the CPU takes other routes
here. One is for that gradient, unless few channels meet many pixels, where XLA's form is the faster one
(`kernel_gradient` says where):

- 3x3, stride 1: Winograd's F(3x3, 2x2), 16 products instead of 36 per tile and channel pair, as 16 matrix products;
- any other window or stride: one matrix product per window position;
- 1x1: a plain matrix product, also forward.

Both run over slices of the batch that fit the second-level cache, because shifted copies of a whole batch would move
through memory nine (sixteen) times. The table of measured rates stands at `kernel_gradient`. The other, for depthwise
convolutions, is a sum of shifted products, see `depthwise`.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.linen.dtypes import promote_dtype
from jax import lax

from fergen.core import target

_LAYOUT = ("NHWC", "HWIO", "NHWC")
_CACHE_BYTES = 2**20  # of input per slice: measured best within 0.5-2 MiB; a core's second-level cache holds 1.25 MiB

Pads = tuple[tuple[int, int], tuple[int, int]]


def _plain(x, kernel, strides, pads, groups=1):
    return lax.conv_general_dilated(x, kernel, strides, pads, dimension_numbers=_LAYOUT, feature_group_count=groups)


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
    (kh, kw), (down, right) = kernel.shape[:2], strides
    padded = jnp.pad(x, ((0, 0), *pads, (0, 0)))
    rows, cols = (padded.shape[1] - kh) // down * down + 1, (padded.shape[2] - kw) // right * right + 1
    # Summed in single precision at least, as a convolution is.
    kind = jnp.promote_types(x.dtype, jnp.float32)
    products = (
        padded[:, i : i + rows : down, j : j + cols : right].astype(kind) * kernel[i, j, 0]
        for i in range(kh)
        for j in range(kw)
    )
    return sum(products, jnp.zeros((), kind)).astype(x.dtype)


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
    (dk,) = jax.vjp(lambda k: _shifted(x, k, strides, pads), kernel)[1](g)
    return dx, dk


depthwise.defvjp(_depthwise_fwd, _depthwise_bwd)


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def convolve(x: jax.Array, kernel: jax.Array, strides: tuple[int, int], pads: Pads) -> jax.Array:
    """Convolve with XLA's forward form and this module's kernel gradient.

    The three maps (convolution, its input gradient, its kernel gradient) are each bilinear and are each other's
    derivatives, so gradients of any order (R1 penalties) stay within fast forms. Forward-mode `jax.jvp` is not
    defined, as for any `jax.custom_vjp`.

    Args:
        x: images [B, H, W, I].
        kernel: [kh, kw, I, O].
        strides: of the window, rows and columns.
        pads: zeros before and after, rows and columns.

    Returns:
        [B, H', W', O].
    """
    return _plain(x, kernel, strides, pads)


@partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4))
def input_gradient(kernel: jax.Array, g: jax.Array, strides: tuple[int, int], pads: Pads, size: tuple[int, int]):
    """Map the gradient of a convolution's output [B, H', W', O] to that of its input [B, *size, I]."""
    shape = jax.ShapeDtypeStruct((g.shape[0], *size, kernel.shape[2]), g.dtype)
    (dx,) = jax.linear_transpose(lambda x: _plain(x, kernel, strides, pads), shape)(g)
    return dx


@partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4))
def kernel_gradient(x: jax.Array, g: jax.Array, strides: tuple[int, int], pads: Pads, window: tuple[int, int]):
    """Map input [B, H, W, I] and output gradient [B, H', W', O] to the kernel's gradient [*window, I, O].

    Measured GFLOP/s (operations of the direct form per second; best of 4 timings on 2 shared cores; batch 128, 3x3,
    float32; "sliced" is the best of 4, 8, 16 and 32 images per slice):

        shape            XLA   one product per position, sliced   Winograd   Winograd, sliced   forward
        24x24  32-> 32    29          39                             37            66             123
        24x24  64-> 64    23          23                             51            68             131
        12x12  64-> 64    32          55                             54            87             124
        12x12  96-> 96    49         135                            102           166             193
        12x12 128->128    62         112                            124           182             203
         6x6  128->128    88          97                            154           159             145
         6x6  192->192    94         136                            159           194             147

    Milliseconds of CPU time of XLA's form and this one (batch 32, one AVX-512 core, jax 0.10.2, best of 6):

        48x48   1-> 32   2.4, 31.8     24x24  16->32, stride 2   0.6,  0.8     12x12  64->128   8.9,  7.4
        48x48  16-> 16   5.8, 18.5     24x24  64->64, 4x4 s 2    9.7, 15.9     12x12  96->160  16.6, 10.5
        24x24  32-> 32   4.8,  8.3     24x24  32->64, 5x5       19.1, 41.9     12x12  32->128   4.3,  3.2
        24x24  64-> 64  16.6, 23.5     12x12  64->64             4.4,  4.1      6x6   64-> 64   1.2,  0.9
        48x48  64-> 64   119,   90     48x48  32->64            58,   110
    """
    pixels, pairs = g.shape[1] * g.shape[2], x.shape[3] * g.shape[3]
    if x.shape[0] != 1 and max(x.shape[3], g.shape[3]) <= 64 and pixels >= 144 and pixels * pairs < 2**23:
        shape = jax.ShapeDtypeStruct((*window, x.shape[3], g.shape[3]), x.dtype)
        (dk,) = jax.linear_transpose(lambda kernel: _plain(x, kernel, strides, pads), shape)(g)
        return dk
    form = _winograd if window == (3, 3) and strides == (1, 1) else partial(_positions, strides=strides, window=window)
    (top, bottom), (left, right) = pads
    rows, cols = g.shape[1:3]
    kh, kw = window
    # Rows and columns that a strided window never reaches are cut off, so that both forms see exact windows.
    need = ((rows - 1) * strides[0] + kh, (cols - 1) * strides[1] + kw)
    edges = [(top, need[0] - top - x.shape[1]), (left, need[1] - left - x.shape[2])]

    batch = x.shape[0]
    per_slice = max(1, min(batch, _CACHE_BYTES // max(1, x[0].size * x.dtype.itemsize)))
    slices = -(-batch // per_slice)
    per_slice = -(-batch // slices)
    spare = slices * per_slice - batch  # images of zeros, whose gradient is zero

    # Slice i takes every slices-th image: the leading axis keeps its meaning (and its sharding) in the reshape.
    def stack(a):
        return jnp.pad(a, ((0, spare), (0, 0), (0, 0), (0, 0))).reshape(per_slice, slices, *a.shape[1:])

    xs, gs = stack(x), stack(g)
    zero = jnp.zeros((), x.dtype)

    def add(total, i):
        xi = lax.dynamic_index_in_dim(xs, i, 1, keepdims=False)
        xi = lax.pad(xi, zero, ((0, 0, 0), (*edges[0], 0), (*edges[1], 0), (0, 0, 0)))
        gi = lax.dynamic_index_in_dim(gs, i, 1, keepdims=False)
        return total + form(xi, gi), None

    start = jnp.zeros((kh, kw, x.shape[3], g.shape[3]), jnp.promote_types(x.dtype, jnp.float32))
    total, _ = lax.scan(add, start, jnp.arange(slices))
    return total.astype(x.dtype)


def _contract(a, b):
    """Multiply [..., I] by [..., O] over everything but the channels: [I, O] in float32, or more if they have it."""
    a, b = a.reshape(-1, a.shape[-1]), b.reshape(-1, b.shape[-1])
    kind = jnp.promote_types(a.dtype, jnp.float32)
    return lax.dot_general(a, b, (((0,), (0,)), ((), ())), preferred_element_type=kind)


def _positions(x, g, *, strides, window):
    rows, cols = g.shape[1:3]

    def at(i, j):
        return x[:, i : i + (rows - 1) * strides[0] + 1 : strides[0], j : j + (cols - 1) * strides[1] + 1 : strides[1]]

    products = [_contract(at(i, j), g) for i in range(window[0]) for j in range(window[1])]
    return jnp.stack(products).reshape(*window, x.shape[-1], g.shape[-1])


def _winograd(x, g):
    """Correlate 4x4 tiles of x [B, H+2, W+2, I] with 2x2 tiles of g [B, H, W, O] into 3x3 sums.

    F(3x3, 2x2) of Winograd's minimal filtering (Lavin & Gray 2015, "Fast algorithms for convolutional neural
    networks", section 4), with the points 0, 1, -1 and infinity in both directions.
    """
    odd = (g.shape[1] % 2, g.shape[2] % 2)
    if any(odd):
        x, g = (jnp.pad(a, ((0, 0), (0, odd[0]), (0, odd[1]), (0, 0))) for a in (x, g))
    rows, cols = g.shape[1], g.shape[2]

    def data(v):
        return v[0] - v[2], v[1] + v[2], v[2] - v[1], v[3] - v[1]

    def filters(v):
        return v[0], (v[0] + v[1]) * 0.5, (v[0] - v[1]) * 0.5, v[1]

    def back(m):
        return m[0] + m[1] + m[2], m[1] - m[2], m[1] + m[2] + m[3]

    def both_ways(transform, grid):
        columns = [transform(column) for column in zip(*grid, strict=True)]
        return [transform(row) for row in zip(*columns, strict=True)]

    tiles = [[x[:, a : a + rows - 1 : 2, b : b + cols - 1 : 2] for b in range(4)] for a in range(4)]
    tile_gradients = [[g[:, a::2, b::2] for b in range(2)] for a in range(2)]
    pairs = zip(both_ways(data, tiles), both_ways(filters, tile_gradients), strict=True)
    products = [[_contract(v, u) for v, u in zip(vs, us, strict=True)] for vs, us in pairs]
    return jnp.stack([jnp.stack(row) for row in both_ways(back, products)])


def _convolve_fwd(x, kernel, strides, pads):
    return _plain(x, kernel, strides, pads), (x, kernel)


def _convolve_bwd(strides, pads, saved, g):
    x, kernel = saved
    dx = input_gradient(kernel, g, strides, pads, x.shape[1:3])
    return dx, kernel_gradient(x, g, strides, pads, kernel.shape[:2])


def _input_gradient_fwd(kernel, g, strides, pads, size):
    return input_gradient(kernel, g, strides, pads, size), (kernel, g)


def _input_gradient_bwd(strides, pads, size, saved, dx):
    kernel, g = saved
    return kernel_gradient(dx, g, strides, pads, kernel.shape[:2]), convolve(dx, kernel, strides, pads)


def _kernel_gradient_fwd(x, g, strides, pads, window):
    return kernel_gradient(x, g, strides, pads, window), (x, g)


def _kernel_gradient_bwd(strides, pads, window, saved, dk):
    x, g = saved
    return input_gradient(dk, g, strides, pads, x.shape[1:3]), convolve(x, dk, strides, pads)


convolve.defvjp(_convolve_fwd, _convolve_bwd)
input_gradient.defvjp(_input_gradient_fwd, _input_gradient_bwd)
kernel_gradient.defvjp(_kernel_gradient_fwd, _kernel_gradient_bwd)


def conv2d(x: jax.Array, kernel: jax.Array, strides=(1, 1), padding="SAME", groups: int = 1) -> jax.Array:
    """Convolve images in the platform's fastest form.

    Args:
        x: images [B, H, W, I].
        kernel: [kh, kw, I / groups, O], of the same dtype.
        strides: of the window, rows and columns.
        padding: "SAME", "VALID", a number, or pairs (before, after) for rows and columns.
        groups: of channels; unless each channel is one, more than one leaves everything to XLA.

    Returns:
        [B, H', W', O].
    """
    strides = tuple(strides)
    window = kernel.shape[:2]
    if isinstance(padding, str):
        pads = lax.padtype_to_pads(x.shape[1:3], window, strides, padding)
    elif isinstance(padding, int):
        pads = ((padding, padding), (padding, padding))
    else:
        pads = tuple((p, p) if isinstance(p, int) else tuple(p) for p in padding)
    rows, columns = ((int(a), int(b)) for a, b in pads)
    pads = (rows, columns)
    # Of one image everywhere: under `jax.vmap`, as of each example's gradient, XLA makes a grouped convolution of its
    # kernel gradient, and splits that wrongly over devices (0.10.2: all but the first get others' groups, unsaid).
    if target.platform() != "cpu" and x.shape[0] != 1:
        return _plain(x, kernel, strides, pads, groups)
    if groups != 1:
        each = groups == x.shape[-1] == kernel.shape[-1]
        return depthwise(x, kernel, strides, pads) if each else _plain(x, kernel, strides, pads, groups)
    if window == (1, 1) and pads == ((0, 0), (0, 0)):
        return x[:, :: strides[0], :: strides[1]] @ kernel[0, 0]
    return convolve(x, kernel, strides, pads)


class Conv(nn.Module):
    """Convolve [B, H, W, I] images; parameters `kernel` [kh, kw, I / groups, O] and `bias` [O] as in `nn.Conv`.

    Attributes:
        features: output channels O.
        kernel_size: window, rows and columns; one number means a square.
        strides: of the window; one number means both.
        padding: "SAME", "VALID", a number, or pairs (before, after) for rows and columns.
        use_bias: whether a bias is added.
        groups: of channels (`nn.Conv`'s feature_group_count).
        dtype: of the computation; None takes that of input and parameters. Parameters stay float32.
        kernel_init: initialiser of the kernel.
    """

    features: int
    kernel_size: int | Sequence[int] = (3, 3)
    strides: int | Sequence[int] = 1
    padding: Any = "SAME"
    use_bias: bool = True
    groups: int = 1
    dtype: Any = None
    kernel_init: Any = nn.initializers.lecun_normal()
    bias_init: Any = nn.initializers.zeros_init()

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Return [B, H', W', O]."""
        window, strides = ((v, v) if isinstance(v, int) else tuple(v) for v in (self.kernel_size, self.strides))
        shape = (*window, x.shape[-1] // self.groups, self.features)
        kernel = self.param("kernel", self.kernel_init, shape, jnp.float32)
        bias = self.param("bias", self.bias_init, (self.features,), jnp.float32) if self.use_bias else None
        x, kernel, bias = promote_dtype(x, kernel, bias, dtype=self.dtype)
        y = conv2d(x, kernel, strides, self.padding, self.groups)
        return y if bias is None else y + bias
