"""Adaptive pooling against windows taken one by one."""

import math

import flax.linen as nn
import jax
import numpy as np
import pytest

from fergen.nn.pool import adaptive_average, global_average, max_pool


@pytest.mark.parametrize(("h", "w"), [(1, 1), (7, 7), (14, 21), (9, 5), (3, 10)])
def test_adaptive_average(h, w):
    x = np.random.default_rng(h * w).normal(size=(2, h, w, 3)).astype(np.float32)
    expected = np.empty((2, 7, 7, 3), np.float32)
    for i in range(7):
        for j in range(7):
            rows = slice(math.floor(i * h / 7), math.ceil((i + 1) * h / 7))
            columns = slice(math.floor(j * w / 7), math.ceil((j + 1) * w / 7))
            expected[:, i, j] = x[:, rows, columns].mean((1, 2))
    np.testing.assert_allclose(adaptive_average(x, (7, 7)), expected, rtol=1e-5, atol=1e-6)


def test_global_average_sums_half_precision_in_single():
    # 4096 ones and a half: a bfloat16 sum would stop growing at 256.
    x = np.ones((1, 64, 64, 1), np.float32)
    assert global_average(x.astype("bfloat16")).item() == 1.0


@pytest.mark.parametrize(("h", "w"), [(6, 8), (7, 5)])
def test_maxima_and_their_gradient_are_flax(h, w):
    rng = np.random.default_rng(0)
    x = rng.permutation(2 * h * w * 3).reshape(2, h, w, 3).astype(np.float32)  # no two are equal
    g = rng.normal(size=(2, h // 2, w // 2, 3)).astype(np.float32)
    found, back = jax.vjp(max_pool, x)
    expected, other = jax.vjp(lambda x: nn.max_pool(x, (2, 2), strides=(2, 2)), x)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(back(g)[0], other(g)[0])


def test_the_first_of_equal_maxima_has_the_gradient():
    x = np.array([[1, 2, 5, 5], [2, 0, 5, 5]], np.float32).reshape(1, 2, 4, 1)
    (dx,) = jax.vjp(max_pool, x)[1](np.array([6.0, 8.0], np.float32).reshape(1, 1, 2, 1))
    np.testing.assert_array_equal(dx.reshape(2, 4), [[0, 6, 8, 0], [0, 0, 0, 0]])
