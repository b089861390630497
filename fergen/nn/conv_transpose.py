"""Transposed convolution with window 4 and stride 2, the layer by which generators double their resolution.

It is a convolution of the image with zeros put between its pixels. A 4x4 window over that grid meets 2x2 pixels, and
which of its 16 taps meet them depends on the parity of the output's row and column alone. The four parities are
therefore one 2x2 convolution to four times the channels, whose results interleave: the sub-pixel form of Shi et al.
2016 (arXiv:1609.05158, section 2.2), without a product by zero. XLA's CPU backend computes the kernel gradient of the
plain form at 1.4 GFLOP/s, so the CPU takes the sub-pixel form; GPUs and TPUs have kernels for the plain one.
"""

from typing import Any

import jax
import jax.numpy as jnp
from einops import rearrange
from flax import linen as nn
from flax.linen.dtypes import promote_dtype
from jax import lax

from fergen.core import target
from fergen.nn.conv import conv2d
from fergen.nn.winograd import padded


def plain(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolve x with zeros between its pixels; arguments and result as in `conv_transpose`."""
    return lax.conv_transpose(x, kernel, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def subpixel(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Compute the four parities by one 2x2 convolution; arguments and result as in `conv_transpose`.

    Row 2i + a of the output is a sum over rows i + a - 1 and i + a of x with taps a and a + 2, and so are columns. The
    2x2 windows over x, padded by one, begin at rows -1 to H - 1, so that parity a takes window i + a.
    """
    taps = rearrange(kernel, "(u a) (v b) i o -> u v i (a b o)", a=2, b=2)
    return interleave(conv2d(x, taps, padding=1))


@jax.custom_vjp
def interleave(z: jax.Array) -> jax.Array:
    """Place the four parities [B, H + 1, W + 1, 4 O] of an image's pixels among one another: [B, 2H, 2W, O]."""
    _, h, w, _ = z.shape
    z = rearrange(z, "n h w (a b o) -> a b n h w o", a=2, b=2)
    parities = jnp.stack([jnp.stack([z[a, b, :, a : a + h - 1, b : b + w - 1] for b in (0, 1)]) for a in (0, 1)])
    return rearrange(parities, "a b n h w o -> n (h a) (w b) o")


@jax.custom_vjp
def part(y: jax.Array) -> jax.Array:
    """Take pixels [B, 2H, 2W, O] apart into their parities, the transpose of `interleave`: [B, H + 1, W + 1, 4 O].

    The transpose that jax derives is a sum of four images that are zero but for one parity; XLA computes it again
    wherever it is read, so that a layer's gradient took twice as long.
    """
    n, h, w, o = y.shape
    y = y.reshape(n, h // 2, 2, w // 2, 2 * o)
    parities = [padded(y[:, :, a, :, b * o : (b + 1) * o], ((a, 1 - a), (b, 1 - b))) for a in (0, 1) for b in (0, 1)]
    return jnp.concatenate(parities, axis=-1)


interleave.defvjp(lambda z: (interleave(z), None), lambda _, g: (part(g),))
part.defvjp(lambda y: (part(y), None), lambda _, g: (interleave(g),))


def conv_transpose(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolve transposed, with stride 2, in the platform's fastest form.

    Equals `lax.conv_transpose` with padding "SAME", and torch's ConvTranspose2d with stride 2 and padding 1 for the
    kernel turned by 180 degrees.

    Args:
        x: feature maps [B, H, W, I].
        kernel: [4, 4, I, O], of the same dtype.

    Returns:
        [B, 2H, 2W, O].
    """
    return subpixel(x, kernel) if target.platform() == "cpu" else plain(x, kernel)


class ConvTranspose(nn.Module):
    """Double the resolution of [B, H, W, I]; parameters and results of `nn.ConvTranspose` with window 4 and stride 2.

    Attributes:
        features: output channels O.
        use_bias: whether a bias is added.
        dtype: of the computation; None takes that of input and parameters. Parameters stay float32.
        kernel_init: initialiser of the kernel [4, 4, I, O].
        bias_init: initialiser of the bias [O].
    """

    features: int
    use_bias: bool = True
    dtype: Any = None
    kernel_init: Any = nn.initializers.lecun_normal()
    bias_init: Any = nn.initializers.zeros_init()

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Return [B, 2H, 2W, O]."""
        kernel = self.param("kernel", self.kernel_init, (4, 4, x.shape[-1], self.features), jnp.float32)
        bias = self.param("bias", self.bias_init, (self.features,), jnp.float32) if self.use_bias else None
        x, kernel, bias = promote_dtype(x, kernel, bias, dtype=self.dtype)
        y = conv_transpose(x, kernel)
        return y if bias is None else y + bias
