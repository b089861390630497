"""Convolve images: `nn.Conv`'s parameters and results in the form that the platform runs fastest.

XLA's CPU backend, with Eigen as `fergen.core.environment` has it, runs a stride-1 3x3 convolution at the rate of a
matrix product, and so its gradient with respect to the input, which is a convolution too. The gradient with respect to
the kernel is lowered to a convolution whose window is the whole image; its operands are transposed first. Depthwise
convolutions are slower still. GPUs and TPUs have no such holes, so the CPU alone, and everywhere a single image (see
`conv2d`), takes other routes:

- 3x3, stride 1: Winograd's minimal filtering, where `winograd.pays` and `kernel_gradient` say that it is faster;
- kernel gradients of other windows or strides: one matrix product per window position, over slices of the batch that
  fit the second-level cache, unless few channels meet many pixels;
- 1x1: a plain matrix product, also forward;
- depthwise: a sum of shifted products, see `depthwise`.
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
from fergen.nn import winograd
from fergen.nn.depthwise import depthwise
from fergen.nn.winograd import Pads

_LAYOUT = ("NHWC", "HWIO", "NHWC")
_CACHE_BYTES = 2**20  # of input per slice: measured best within 0.5-2 MiB; a core's second-level cache holds 1.25 MiB


def _plain(x, kernel, strides, pads, groups=1):
    return lax.conv_general_dilated(x, kernel, strides, pads, dimension_numbers=_LAYOUT, feature_group_count=groups)


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def convolve(x: jax.Array, kernel: jax.Array, strides: tuple[int, int], pads: Pads) -> jax.Array:
    """Convolve in the fastest form, and differentiate so.

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
    return _forward(x, kernel, strides, pads)


def _forward(x, kernel, strides, pads):
    minimal = kernel.shape[:2] == (3, 3) and strides == (1, 1) and target.platform() == "cpu"
    if minimal and winograd.pays(x, kernel.shape[3], pads):
        return winograd.convolve(x, kernel, pads)
    return _plain(x, kernel, strides, pads)


@partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4))
def input_gradient(kernel: jax.Array, g: jax.Array, strides: tuple[int, int], pads: Pads, size: tuple[int, int]):
    """Map the gradient of a convolution's output [B, H', W', O] to that of its input [B, *size, I]."""
    if kernel.shape[:2] == (3, 3) and strides == (1, 1):
        back = tuple((2 - before, 2 - after) for before, after in pads)
        return _forward(g, kernel[::-1, ::-1].swapaxes(2, 3), strides, back)
    shape = jax.ShapeDtypeStruct((g.shape[0], *size, kernel.shape[2]), g.dtype)
    (dx,) = jax.linear_transpose(lambda x: _plain(x, kernel, strides, pads), shape)(g)
    return dx


@partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4))
def kernel_gradient(x: jax.Array, g: jax.Array, strides: tuple[int, int], pads: Pads, window: tuple[int, int]):
    """Map input [B, H, W, I] and output gradient [B, H', W', O] to the kernel's gradient [*window, I, O].

    Measured milliseconds of XLA's form, of a product per window position and of Winograd's, by the clock, two AVX-512
    cores, 3x3 and stride 1 where nothing is said, float32, jax 0.10.2, best of 8:

        batch 64                       batch 32
        24x24  32->32   8.4,  9.5,  7.3   48x48   1->32             .9,  3.1,  4.4
        24x24  32->64  12.8, 17.4, 10.1   48x48  16->16            5.0,  7.0,  8.4
        24x24  64->64  19.8, 37.3, 18.7   48x48  32->32           16.2, 20.4, 12.7
        12x12  64->64   5.0,  8.9,  4.7   48x48  32->64           25.2, 43.9, 25.1
        12x12  64->128  8.1, 11.7,  6.4   24x24  64->64, 4x4 s 2   5.1,  8.8
         6x6   64->64   1.2,  2.1,  1.2   batch 128
        24x24   4->32   1.0,  1.2,  2.6   24x24  32->32           15.2, 19.6, 26.9
        24x24  16->32, stride 2, 1.2, 1.7
        12x12  32->128, 2x2, 2.8, 2.6
    """
    pixels, pairs = g.shape[1] * g.shape[2], x.shape[3] * g.shape[3]
    minimal = window == (3, 3) and strides == (1, 1)
    few = max(x.shape[3], g.shape[3]) <= 64 and pixels >= 144 and pixels * pairs < 2**23
    known = isinstance(x.shape[0], int)  # an exported batch is not
    if not known or (few and x.shape[0] != 1 and not (minimal and pairs == 64**2)):
        shape = jax.ShapeDtypeStruct((*window, x.shape[3], g.shape[3]), x.dtype)
        (dk,) = jax.linear_transpose(lambda kernel: _plain(x, kernel, strides, pads), shape)(g)
        return dk
    if minimal:
        return winograd.kernel_gradient(x, g, pads)
    (top, _), (left, _) = pads
    rows, cols = g.shape[1:3]
    # Rows and columns that a strided window never reaches are cut off.
    need = ((rows - 1) * strides[0] + window[0], (cols - 1) * strides[1] + window[1])
    edges = [(top, need[0] - top - x.shape[1]), (left, need[1] - left - x.shape[2])]
    slices = winograd.Slices(_CACHE_BYTES, x)
    xs, gs = slices.of(x), slices.of(g)

    def add(total, i):
        xi = winograd.padded(slices.at(xs, i), edges)
        return total + _positions(xi, slices.at(gs, i), strides=strides, window=window), None

    start = jnp.zeros((*window, x.shape[3], g.shape[3]), jnp.promote_types(x.dtype, jnp.float32))
    total, _ = lax.scan(add, start, jnp.arange(slices.n))
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


def _convolve_fwd(x, kernel, strides, pads):
    return _forward(x, kernel, strides, pads), (x, kernel)


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
        bias_init: initialiser of the bias [O].
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
