"""Thresholds of confidence on rows counted by hand."""

import numpy as np
import pytest

from fergen.metrics import selective


def rows(confidence: list[float]) -> np.ndarray:
    return np.array([[c, 1 - c] for c in confidence])


def test_the_threshold_is_the_least_that_reaches_the_accuracy():
    confidence = rows([0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5])
    labels = np.array([0, 0, 0, 1, 0, 0, 1, 1, 0, 1])
    # Answered down to .70: 5 of 6 right; down to .65: 5 of 7; all: 6 of 10.
    found = selective.choose(confidence, labels, 0.8)
    assert found is not None
    assert found.threshold == 0.66
    assert found.accuracy == pytest.approx(5 / 6)
    assert found.coverage == pytest.approx(0.6)
    assert found.n == 10
    assert selective.choose(confidence, labels, 1.0) == selective.at(confidence, labels, 0.81)
    assert selective.choose(confidence, labels, 0.6)[:3] == (0.0, pytest.approx(0.6), 1.0)


def test_an_accuracy_out_of_reach():
    assert selective.choose(rows([0.9, 0.8]), np.array([1, 1]), 0.8) is None
    none = selective.at(rows([0.9, 0.8]), np.array([0, 0]), 0.95)
    assert (none.coverage, none.n) == (0, 2)
    assert np.isnan(none.accuracy)
