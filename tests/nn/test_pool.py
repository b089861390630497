"""Adaptive pooling against windows taken one by one."""

import math

import numpy as np
import pytest

from fergen.nn.pool import adaptive_average, global_average


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
