"""Inception v3 (Szegedy et al. 2016, arXiv:1512.00567) as the Fréchet Inception distance reads it.

FID (Heusel et al. 2017, arXiv:1706.08500) is defined on the 2,048 pooled features of one frozen graph, published in
December 2015. It differs from the Inception v3 of today's model libraries in three places: its average pools leave the
padding out of the mean, the pool of the last block takes the maximum, and its head has 1,008 classes.

Module names are those of the graph's usual PyTorch copy: `Mixed_5b/branch5x5_1/conv` is `Mixed_5b.branch5x5_1.conv`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from fergen.core.errors import BadInput
from fergen.nn.conv import Conv
from fergen.nn.conv_norm import fan_out_init
from fergen.nn.pool import global_average

SIZE = 299  # pixels a side of the images it was trained on
CLASSES = 1008
SMALLEST = 75  # pixels a side that leave one pixel to the last blocks

Step = tuple[int, tuple[int, int]]  # filters and window of a unit


class Unit(nn.Module):
    """A convolution without bias, batch normalisation and a rectifier.

    Attributes:
        features: filters.
        window: of the convolution, rows and columns.
        train: normalise by the batch and move the averages, rather than by the averages.
        dtype: of the computation.
        stride: of the convolution.
        padding: "SAME", or "VALID" for none.
    """

    features: int
    window: tuple[int, int]
    train: bool
    dtype: Any
    stride: int = 1
    padding: str = "SAME"

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Return [b, h', w', features]."""
        x = Conv(
            self.features,
            self.window,
            strides=self.stride,
            padding=self.padding,
            use_bias=False,
            kernel_init=fan_out_init,
            dtype=self.dtype,
            name="conv",
        )(x)
        norm = nn.BatchNorm(use_running_average=not self.train, momentum=0.9, epsilon=1e-3, dtype=self.dtype, name="bn")
        return nn.relu(norm(x))


def chain(unit: Callable, x: jax.Array, name: str, *steps: Step, reduce: bool = False) -> jax.Array:
    """Apply units `name_1`, `name_2`, ... in a row; with `reduce`, the last halves the resolution, without padding."""
    for i, (features, window) in enumerate(steps, 1):
        last = {"stride": 2, "padding": "VALID"} if reduce and i == len(steps) else {}
        x = unit(features, window, name=f"{name}_{i}", **last)(x)
    return x


def average(x: jax.Array) -> jax.Array:
    """Average 3x3 neighbours, of those that lie on the map alone."""
    return nn.avg_pool(x, window_shape=(3, 3), strides=(1, 1), padding="SAME", count_include_pad=False)


def halve(x: jax.Array) -> jax.Array:
    """Take the maximum of 3x3 neighbours at every second place, without padding."""
    return nn.max_pool(x, window_shape=(3, 3), strides=(2, 2), padding="VALID")


class BlockA(nn.Module):
    """Figure 5: 1x1, 5x5 and double 3x3 convolutions beside a pool.

    Attributes:
        pooled: filters behind the pool.
        unit: makes a `Unit`, as in the other blocks.
    """

    pooled: int
    unit: Callable

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Return [b, h, w, 224 + pooled]."""
        one = self.unit(64, (1, 1), name="branch1x1")(x)
        five = chain(self.unit, x, "branch5x5", (48, (1, 1)), (64, (5, 5)))
        double = chain(self.unit, x, "branch3x3dbl", (64, (1, 1)), (96, (3, 3)), (96, (3, 3)))
        pool = self.unit(self.pooled, (1, 1), name="branch_pool")(average(x))
        return jnp.concatenate([one, five, double, pool], axis=-1)


class BlockB(nn.Module):
    """Figure 10: the reduction from 35x35 to 17x17."""

    unit: Callable

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Return [b, h', w', 480 + c]."""
        three = self.unit(384, (3, 3), stride=2, padding="VALID", name="branch3x3")(x)
        double = chain(self.unit, x, "branch3x3dbl", (64, (1, 1)), (96, (3, 3)), (96, (3, 3)), reduce=True)
        return jnp.concatenate([three, double, halve(x)], axis=-1)


class BlockC(nn.Module):
    """Figure 6: 7x7 windows as rows and columns, once and twice.

    Attributes:
        inner: filters within the branches.
        unit: makes a `Unit`.
    """

    inner: int
    unit: Callable

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Return [b, h, w, 768]."""
        n, row, column = self.inner, (1, 7), (7, 1)
        one = self.unit(192, (1, 1), name="branch1x1")(x)
        seven = chain(self.unit, x, "branch7x7", (n, (1, 1)), (n, row), (192, column))
        double = chain(
            self.unit, x, "branch7x7dbl", (n, (1, 1)), (n, column), (n, row), (n, column), (192, row)
        )  # fmt: skip
        pool = self.unit(192, (1, 1), name="branch_pool")(average(x))
        return jnp.concatenate([one, seven, double, pool], axis=-1)


class BlockD(nn.Module):
    """The reduction from 17x17 to 8x8."""

    unit: Callable

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Return [b, h', w', 512 + c]."""
        three = chain(self.unit, x, "branch3x3", (192, (1, 1)), (320, (3, 3)), reduce=True)
        seven = chain(
            self.unit, x, "branch7x7x3", (192, (1, 1)), (192, (1, 7)), (192, (7, 1)), (192, (3, 3)), reduce=True
        )
        return jnp.concatenate([three, seven, halve(x)], axis=-1)


class BlockE(nn.Module):
    """Figure 7: 3x3 windows as rows and columns side by side.

    Attributes:
        maximum: whether the pool takes the maximum (in the last block) or the average.
        unit: makes a `Unit`.
    """

    maximum: bool
    unit: Callable

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Return [b, h, w, 2048]."""
        one = self.unit(320, (1, 1), name="branch1x1")(x)
        three = chain(self.unit, x, "branch3x3", (384, (1, 1)))
        double = chain(self.unit, x, "branch3x3dbl", (448, (1, 1)), (384, (3, 3)))
        sides = [
            self.unit(384, window, name=name)(y)
            for y, place in ((three, "branch3x3_2"), (double, "branch3x3dbl_3"))
            for window, name in (((1, 3), f"{place}a"), ((3, 1), f"{place}b"))
        ]
        pool = nn.max_pool(x, window_shape=(3, 3), strides=(1, 1), padding="SAME") if self.maximum else average(x)
        pool = self.unit(192, (1, 1), name="branch_pool")(pool)
        return jnp.concatenate([one, *sides, pool], axis=-1)


class InceptionV3(nn.Module):
    """The network; see `build`."""

    num_classes: int
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Map normalised images float32 [b, h, w, c] to logits float32 [b, num_classes].

        Sows `feature_map` [b, h', w', 2048] (8x8 of 299x299 pixels) and `features` float32 [b, 2048].

        Raises:
            BadInput: an image is less than 75 pixels high or wide.
        """
        if min(x.shape[1:3]) < SMALLEST:
            raise BadInput(
                f"model inception_v3: expected images of at least {SMALLEST}x{SMALLEST} pixels, found "
                f"{x.shape[2]}x{x.shape[1]}"
            )
        unit = partial(Unit, train=train, dtype=self.dtype)
        x = unit(32, (3, 3), stride=2, padding="VALID", name="Conv2d_1a_3x3")(x)
        x = unit(32, (3, 3), padding="VALID", name="Conv2d_2a_3x3")(x)
        x = halve(unit(64, (3, 3), name="Conv2d_2b_3x3")(x))
        x = unit(80, (1, 1), name="Conv2d_3b_1x1")(x)
        x = halve(unit(192, (3, 3), padding="VALID", name="Conv2d_4a_3x3")(x))
        for place, pooled in zip("bcd", (32, 64, 64)):
            x = BlockA(pooled, unit, name=f"Mixed_5{place}")(x)
        x = BlockB(unit, name="Mixed_6a")(x)
        for place, inner in zip("bcde", (128, 160, 160, 192)):
            x = BlockC(inner, unit, name=f"Mixed_6{place}")(x)
        x = BlockD(unit, name="Mixed_7a")(x)
        for place, maximum in zip("bc", (False, True)):
            x = BlockE(maximum, unit, name=f"Mixed_7{place}")(x)
        self.sow("intermediates", "feature_map", x)
        x = global_average(x)
        self.sow("intermediates", "features", x)
        return nn.Dense(self.num_classes, dtype=jnp.float32, name="fc")(x)


def build(*, num_classes: int = CLASSES, dtype: Any = jnp.float32) -> InceptionV3:
    """Build an Inception v3.

    Args:
        num_classes: size of the logits.
        dtype: of the computation; parameters are float32.
    """
    return InceptionV3(num_classes=num_classes, dtype=dtype)


def tf1_bilinear(images: jax.Array, size: int = SIZE) -> jax.Array:
    """Resize images as the graph does in front of its first layer.

    This is the bilinear resize of TensorFlow 1 without aligned corners: output pixel i lies at i * (h / size) of the
    input, so that the top left corners meet and the image shifts by part of a pixel; beyond the last row and column
    the image goes on as it ends; downwards nothing is averaged. Figures depend on it: "clean" FID (Parmar et al. 2022,
    arXiv:2104.11222) resizes by an antialiased bicubic filter instead, which this is not.

    Args:
        images: [b, h, w, c], of any float type.
        size: pixels a side of the result.

    Returns:
        [b, size, size, c] of the same type.
    """
    for axis in (1, 2):
        n = images.shape[axis]
        # The graph computes positions in single precision, too.
        at = np.arange(size, dtype=np.float32) * np.float32(n / size)
        lower = np.minimum(np.floor(at).astype(np.int32), n - 1)
        upper = np.minimum(lower + 1, n - 1)
        share = np.expand_dims(at - lower, tuple(i for i in range(4) if i != axis)).astype(images.dtype)
        below, above = jnp.take(images, lower, axis=axis), jnp.take(images, upper, axis=axis)
        images = below + (above - below) * share
    return images
