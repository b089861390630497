"""Calibration against hand examples, scikit-learn and a known temperature."""

import numpy as np
import pytest
from sklearn import metrics as sk

from fergen.metrics import calibration as k


def test_expected_calibration_error_by_hand():
    # Bins of a quarter: (0.5, 0.75] holds 0.6 and 0.7, one of two right; (0.75, 1] holds 0.9 and 1.0, both right.
    confidence = np.array([0.6, 0.7, 0.9, 1.0])
    correct = np.array([True, False, True, True])
    expected = 2 / 4 * abs(0.5 - 0.65) + 2 / 4 * abs(1 - 0.95)
    assert k.expected_calibration_error(confidence, correct, bins=4)[0] == pytest.approx(expected)
    bins = k.reliability(confidence, correct, bins=4)
    np.testing.assert_array_equal(bins.count, [0, 0, 2, 2])
    np.testing.assert_allclose(bins.confidence, [np.nan, np.nan, 0.65, 0.95])
    np.testing.assert_allclose(bins.accuracy, [np.nan, np.nan, 0.5, 1.0])


def test_confidence_on_an_edge_falls_into_the_bin_below():
    bins = k.reliability(np.array([0.0, 0.5, 0.5000001, 1.0]), np.ones(4, bool), bins=2)
    np.testing.assert_array_equal(bins.count, [2, 2])


def test_calibration_error_with_multiplicities_equals_repeated_rows():
    rng = np.random.default_rng(0)
    confidence, correct = rng.random(80), rng.random(80) < 0.5
    times = rng.integers(0, 3, size=(2, 80))
    found = k.expected_calibration_error(confidence, correct, multiplicities=times.astype(float))
    for row, value in zip(times, found):
        repeated = k.expected_calibration_error(np.repeat(confidence, row), np.repeat(correct, row))[0]
        assert value == pytest.approx(repeated)


def test_nll_and_brier_equal_scikit_learn():
    rng = np.random.default_rng(1)
    logits, labels = rng.normal(size=(90, 3)) * 4, rng.integers(3, size=90)
    p = k.softmax(logits)
    assert k.nll(k.log_softmax(logits), labels).mean() == pytest.approx(sk.log_loss(labels, p, labels=range(3)))
    assert k.brier(p, labels).mean() == pytest.approx(
        sk.brier_score_loss(labels, p, labels=range(3), scale_by_half=False)
    )


def test_softmax_survives_large_logits():
    np.testing.assert_allclose(k.softmax(np.array([[1e4, 0.0]])), [[1, 0]])


@pytest.mark.parametrize("true", [0.5, 1.0, 2.5])
def test_temperature_recovers_the_true_one(true):
    rng = np.random.default_rng(2)
    logits = rng.normal(size=(40_000, 4)) * 2
    # Labels drawn from softmax(logits / T): T is the maximum of the likelihood.
    p = k.softmax(logits, true)
    labels = (p.cumsum(1) < rng.random((len(p), 1))).sum(1)
    fitted = k.fit_temperature(logits, labels)
    assert fitted == pytest.approx(true, rel=0.04)
    grid = np.exp(np.linspace(np.log(0.05), np.log(20), 400))
    assert k.nll(k.log_softmax(logits, fitted), labels).mean() <= min(
        k.nll(k.log_softmax(logits, t), labels).mean() for t in grid[::10]
    )
