"""Shares are whole, add up, and are within one of the exact ones."""

import numpy as np
import pytest

from fergen.core.shares import apportion


@pytest.mark.parametrize(
    ("total", "weights", "shares"),
    [
        (1000, [1] * 7, [143, 143, 143, 143, 143, 143, 142]),
        (10, [0, 3, 1], [0, 8, 2]),  # 7.5 and 2.5: the first of equal remainders
        (3, [50, 30, 20], [1, 1, 1]),  # 1.5, .9, .6
        (0, [1, 2], [0, 0]),
        (5, [7215, 436, 0], [5, 0, 0]),
        (5, [0, 0], [0, 0]),
    ],
)
def test_largest_remainders(total, weights, shares):
    assert apportion(total, np.array(weights)).tolist() == shares


@pytest.mark.parametrize("n", [0, 1, 17, 100, 777])
def test_shares_add_up_within_their_weights(n):
    weights = np.array([500, 0, 3, 274])
    shares = apportion(n, weights)
    assert shares.sum() == n
    assert (shares <= weights).all()
    assert (np.abs(shares - n * weights / 777) < 1).all()
