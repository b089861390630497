"""Averages of probabilities, and the choice of members."""

import numpy as np

from fergen.evals.ensemble import average, select
from fergen.metrics.calibration import softmax


def test_average_is_of_probabilities():
    rng = np.random.default_rng(0)
    members = [rng.normal(size=(6, 3)) * 3 for _ in range(3)]
    expected = np.mean([softmax(m) for m in members], axis=0)
    np.testing.assert_allclose(softmax(average(members)), expected, rtol=1e-5)


def test_select_takes_what_helps_and_leaves_what_harms():
    rng = np.random.default_rng(1)
    labels = rng.integers(4, size=2000)
    truth = np.eye(4)[labels]
    members = {
        "weak": truth + rng.normal(size=truth.shape),
        "noise": 5 * rng.normal(size=truth.shape),
        "strong": 2 * truth + rng.normal(size=truth.shape),
        "also": 2 * truth + rng.normal(size=truth.shape) * 1.2,
    }
    chosen = select(members, labels)
    assert chosen[0] == "strong"
    assert "also" in chosen
    assert "noise" not in chosen


def test_select_of_one_is_that_one():
    assert select({"only": np.zeros((3, 2))}, np.zeros(3, int)) == ["only"]
