"""Winograd's minimal filtering of 3x3 windows: fewer products than a convolution's definition has.

Images are cut into tiles of 2x2 pixels. In a transformed domain of 16 points a tile of output takes one product per
point and channel pair, where the definition takes 36 (Lavin & Gray 2015, "Fast algorithms for convolutional neural
networks", section 4, with the points 0, 1, -1 and infinity in both directions): F(2x2, 3x3) for the output, F(3x3, 2x2)
for the kernel's gradient. Each is 16 matrix products, over slices of the batch whose transforms stay in a core's
second-level cache. Every map below is linear in each argument and exact but for rounding.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

Pads = tuple[tuple[int, int], tuple[int, int]]

# Bytes of images per slice, measured best of 2^16 to 2^22 where a core has 1 MiB.
_FORWARD_BYTES, _GRADIENT_BYTES = 2**19, 2**20
_POINTS = 4


def pays(x: jax.Array, filters: int, pads: Pads) -> bool:
    """Whether a convolution of images [B, H, W, I] is faster this way than by XLA's CPU backend.

    Measured GFLOP/s (operations of the definition) of XLA's form, products and convolutions by Eigen as
    `fergen.core.environment` has it, and of this one, by the clock, two AVX-512 cores, float32, jax 0.10.2, best of 8:

        batch 32            batch 128
        48x48  64 152, 236  48x48  64 142, 180
        24x24  64 160, 190  24x24  64 166, 125
        24x24 128 185, 298  24x24 128 182, 283
        12x12  96 195, 291  12x12  96 185, 223
        12x12 256 198, 297  12x12 256 188, 258
         6x6  160 186, 308   6x6  160 193, 306

    F(4x4, 3x3), with 36 products per 16 outputs, came to 44 to 231 by 177 to 342 of this one: XLA's fusions of its
    longer transforms take more than the products that it saves, and rounding is ten times as large.

    At 24x24 64 the two come out even at larger batches, whatever the size of a slice (measured again, batch 64: 152,
    140; 137, 197; 179, 225; batch 128: 147, 133; 172, 147). Below 64 channels the transforms take what they save (24x24
    32, batch 128: 174, 76), and at 3x3 the tiles' margins.

    Of a batch of unknown size, as exported, nothing is known: there it is left to XLA.
    """
    batch, rows, columns, channels = x.shape
    if not isinstance(batch, int) or x.dtype not in (jnp.float32, jnp.float64):
        return False
    tall, wide = rows + sum(pads[0]) - 2, columns + sum(pads[1]) - 2
    return min(channels, filters) >= 64 and batch * _tiles(tall) * _tiles(wide) >= 1024


def convolve(x: jax.Array, kernel: jax.Array, pads: Pads) -> jax.Array:
    """Convolve images [B, H, W, I] with a kernel [3, 3, I, O], stride 1: [B, H', W', O]."""
    kind = jnp.promote_types(x.dtype, jnp.float32)
    half = jnp.asarray(0.5, kernel.dtype)
    taps = _both_ways(lambda g: (g[0], (g[0] + g[1] + g[2]) * half, (g[0] - g[1] + g[2]) * half, g[2]), _grid(kernel))
    taps = _stacked(taps).reshape(_POINTS**2, *kernel.shape[2:])
    rows, columns = x.shape[1] + sum(pads[0]) - 2, x.shape[2] + sum(pads[1]) - 2
    tall, wide = _tiles(rows), _tiles(columns)

    def form(part):
        data = _data(part, pads, tall, wide).reshape(_POINTS**2, -1, x.shape[3])
        products = lax.dot_general(data, taps, (((2,), (1,)), ((0,), (0,))), preferred_element_type=kind)
        products = products.reshape(_POINTS, _POINTS, len(part), tall, wide, kernel.shape[3])
        tiles = _both_ways(lambda m: (m[0] + m[1] + m[2], m[1] - m[2] - m[3]), _grid(products))
        y = jnp.stack([jnp.stack(row, axis=3) for row in tiles], axis=2)
        return y.reshape(len(part), 2 * tall, 2 * wide, -1)[:, :rows, :columns].astype(x.dtype)

    slices = Slices(_FORWARD_BYTES, x)
    parts = slices.of(x)

    def place(y, i):
        return lax.dynamic_update_index_in_dim(y, form(slices.at(parts, i)), i, axis=1), None

    if slices.n == 1:
        return form(x)
    y = jnp.zeros((slices.images, slices.n, rows, columns, kernel.shape[3]), x.dtype)
    y, _ = lax.scan(place, y, jnp.arange(slices.n))
    return y.reshape(-1, *y.shape[2:])[: x.shape[0]]


def kernel_gradient(x: jax.Array, g: jax.Array, pads: Pads) -> jax.Array:
    """Map input [B, H, W, I] and output gradient [B, H', W', O] to the kernel's gradient [3, 3, I, O], stride 1."""
    kind = jnp.promote_types(x.dtype, jnp.float32)
    rows, columns = g.shape[1:3]
    tall, wide = _tiles(rows), _tiles(columns)
    ends = ((0, 2 * tall - rows), (0, 2 * wide - columns))
    half = jnp.asarray(0.5, g.dtype)

    def form(images, gradients):
        data = _data(images, pads, tall, wide).reshape(_POINTS**2, -1, x.shape[3])
        whole = padded(gradients, ends)
        taps = _both_ways(
            lambda v: (v[0], (v[0] + v[1]) * half, (v[0] - v[1]) * half, v[1]),
            [[whole[:, a::2, b::2] for b in range(2)] for a in range(2)],
        )
        taps = _stacked(taps).reshape(_POINTS**2, -1, g.shape[3])
        products = lax.dot_general(data, taps, (((1,), (1,)), ((0,), (0,))), preferred_element_type=kind)
        products = products.reshape(_POINTS, _POINTS, *products.shape[1:])
        return _stacked(_both_ways(lambda m: (m[0] + m[1] + m[2], m[1] - m[2], m[1] + m[2] - m[3]), _grid(products)))

    slices = Slices(_GRADIENT_BYTES, x, g)
    xs, gs = slices.of(x), slices.of(g)

    def add(total, i):
        return total + form(slices.at(xs, i), slices.at(gs, i)), None

    total, _ = lax.scan(add, jnp.zeros((3, 3, x.shape[3], g.shape[3]), kind), jnp.arange(slices.n))
    return total.astype(x.dtype)


class Slices:
    """A batch in slices of as many images; slice i takes every n-th, so that the leading axis keeps its sharding.

    Attributes:
        n: slices.
        images: in each; the last are zeros where they do not fill it.
    """

    def __init__(self, size: int, *batches: jax.Array):
        """Divide batches [B, ...] into slices of at most `size` bytes of the largest, at least an image each."""
        batch = batches[0].shape[0]
        each = max(x.size // batch * x.dtype.itemsize for x in batches)
        self.n = -(-batch // max(1, min(batch, size // max(1, each))))
        self.images = -(-batch // self.n)
        self._spare = self.n * self.images - batch

    def of(self, batch: jax.Array) -> jax.Array:
        """Return [images, n, ...]."""
        whole = jnp.pad(batch, ((0, self._spare), *((0, 0) for _ in batch.shape[1:])))
        return whole.reshape(self.images, self.n, *batch.shape[1:])

    def at(self, parts: jax.Array, i: jax.Array) -> jax.Array:
        """Return slice i [images, ...] of what `of` made."""
        return lax.dynamic_index_in_dim(parts, i, 1, keepdims=False)


def _tiles(size: int) -> int:
    return -(-size // 2)


def padded(x: jax.Array, edges: Sequence[tuple[int, int]]) -> jax.Array:
    """Return images with zeros before and after, rows and columns; negative edges cut off what no window reaches."""
    return lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), *((*edge, 0) for edge in edges), (0, 0, 0)))


def _data(x: jax.Array, pads: Pads, tall: int, wide: int) -> jax.Array:
    """Return the points [4, 4, B, tall, wide, I] of the tiles of images, four pixels wide and two apart."""
    x = padded(x, [(top, 2 * n + 2 - size - top) for (top, _), n, size in zip(pads, (tall, wide), x.shape[1:3])])
    spans = (2 * tall - 1, 2 * wide - 1)
    tiles = [[x[:, a : a + spans[0] : 2, b : b + spans[1] : 2] for b in range(_POINTS)] for a in range(_POINTS)]
    return _stacked(_both_ways(lambda d: (d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]), tiles))


def _both_ways(transform: Callable[[Sequence[Any]], Sequence[Any]], grid: Sequence[Sequence[Any]]) -> list[list[Any]]:
    columns = [transform(column) for column in zip(*grid, strict=True)]
    return [list(transform(row)) for row in zip(*columns, strict=True)]


def _grid(a: jax.Array) -> list[list[jax.Array]]:
    return [list(row) for row in a]


def _stacked(grid: Sequence[Sequence[jax.Array]]) -> jax.Array:
    return jnp.stack([jnp.stack(row) for row in grid])
