"""Bootstrap intervals: coverage, agreement with scipy, reproducibility."""

import numpy as np
import pytest
from scipy import stats

from fergen.metrics.bootstrap import intervals, multiplicities


def mean_of(values):
    return lambda rows: {"mean": rows @ values / rows.sum(1)}


def test_multiplicities_are_resamples():
    blocks = list(multiplicities(3000, 700, seed=0))
    assert len(blocks) > 1
    counts = np.concatenate(blocks)
    assert counts.shape == (700, 3000)
    assert (counts.sum(1) == 3000).all()
    # Poisson(1) in the limit: a row is left out of a resample with probability 1/e.
    assert (counts == 0).mean() == pytest.approx(np.exp(-1), abs=0.002)


def test_interval_covers_a_binomial_mean_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = [
        low <= 0.7 <= high
        for trial in range(300)
        for _, low, high in [
            intervals(mean_of((rng.random(200) < 0.7).astype(float)), 200, resamples=300, seed=trial)["mean"]
        ]
    ]
    # 300 trials: standard error 1.3 points around 95 %, and the percentile method is slightly narrow at n = 200.
    assert 0.91 <= np.mean(hits) <= 0.98


def test_interval_equals_scipys():
    values = np.random.default_rng(1).exponential(size=150)
    _, low, high = intervals(mean_of(values), 150, resamples=5000)["mean"]
    expected = stats.bootstrap((values,), np.mean, n_resamples=5000, method="percentile", rng=2).confidence_interval
    assert low == pytest.approx(expected.low, abs=0.012)
    assert high == pytest.approx(expected.high, abs=0.012)


def test_seed_and_level():
    values = np.random.default_rng(2).normal(size=80)
    first, again, other = (intervals(mean_of(values), 80, resamples=200, seed=s)["mean"] for s in (3, 3, 4))
    assert first == again
    assert first != other
    assert first[0] == other[0] == pytest.approx(values.mean())
    narrow = intervals(mean_of(values), 80, resamples=200, seed=3, level=0.5)["mean"]
    assert first[1] < narrow[1] < narrow[2] < first[2]


def test_undefined_statistics():
    def statistics(rows):
        b = len(rows)
        return {"never": np.full(b, np.nan), "sometimes": np.where(rows[:, 0] > 0, rows[:, 0], np.nan)}

    found = intervals(statistics, 30, resamples=100)
    assert all(np.isnan(found["never"]))
    value, low, high = found["sometimes"]
    assert value == 1
    assert 1 <= low <= high
    assert np.isnan(intervals(statistics, 30, resamples=0)["sometimes"][1])
