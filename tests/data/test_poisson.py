"""Poisson batches: each row by its own coin, padded, and a function of seed and step alone."""

import numpy as np
import pytest
from scipy.stats import binom

from fergen.core.errors import BadInput
from fergen.data import poisson

N, EXPECTED, STEPS = 200, 30, 3000


@pytest.fixture(scope="module")
def joined():
    """bool [steps, n]: who is in which batch."""
    places = poisson.capacity(N, EXPECTED, STEPS)
    rows, mask = poisson.indices(7, N, EXPECTED, places, 0, STEPS)
    found = np.zeros((STEPS, N), bool)
    for step in range(STEPS):
        mine = rows[step][mask[step] > 0]
        assert len(set(mine)) == len(mine), "a row is in a batch once"
        found[step, mine] = True
    return found


def test_rows_join_as_often_as_they_should(joined):
    q = EXPECTED / N
    assert np.abs(joined.mean(0) - q).max() < 4.5 * np.sqrt(q * (1 - q) / STEPS)
    sizes = joined.sum(1)
    assert sizes.var() == pytest.approx(N * q * (1 - q), rel=0.12)
    assert sizes.mean() == pytest.approx(EXPECTED, rel=0.02)


def test_rows_and_steps_are_independent(joined):
    correlation = np.corrcoef(joined.T.astype(float)) - np.eye(N)
    assert np.abs(correlation).max() < 5.5 / np.sqrt(STEPS)
    after = joined[1:] ^ joined[:-1]
    q = EXPECTED / N
    assert after.mean() == pytest.approx(2 * q * (1 - q), rel=0.02)


def test_any_step_alone_is_as_in_a_block():
    places = poisson.capacity(N, EXPECTED, 10)
    block = poisson.indices(3, N, EXPECTED, places, 4, 5)
    for i in range(5):
        for whole, alone in zip(block, poisson.indices(3, N, EXPECTED, places, 4 + i)):
            np.testing.assert_array_equal(whole[i], alone[0])
    assert (block[0] != poisson.indices(4, N, EXPECTED, places, 4, 5)[0]).any()
    assert block[0][block[1] == 0].max(initial=0) == 0


def test_the_capacity_is_all_but_never_exceeded():
    for n, expected, steps in ((9000, 128, 1000), (28000, 512, 10000), (96, 16, 72)):
        places = poisson.capacity(n, expected, steps, devices=4)
        assert places % 8 == 0
        assert steps * binom.sf(places, n, expected / n) <= 1e-15
        assert places < 3 * expected + 40
    assert poisson.capacity(64, 64, 10) == 64
    with pytest.raises(BadInput, match="at most the 10 rows"):
        poisson.capacity(10, 11, 1)


def test_a_batch_that_is_too_large_keeps_a_random_part():
    rows, mask = poisson.indices(0, N, EXPECTED, 8, 0, 2000)
    assert mask.min() == 1
    counts = np.bincount(rows.ravel(), minlength=N)
    assert np.abs(counts - 80).max() < 5 * np.sqrt(80)
