"""Regression figures against numpy and by hand."""

import numpy as np
import pytest

from fergen.metrics.regression import regression


def test_figures_per_target():
    rng = np.random.default_rng(0)
    true = rng.normal(size=(50, 2))
    predicted = true + rng.normal(size=(50, 2))
    found = regression(true, predicted)
    for t in range(2):
        error = true[:, t] - predicted[:, t]
        assert found.correlation[t] == pytest.approx(np.corrcoef(true[:, t], predicted[:, t])[0, 1])
        assert found.r2[t] == pytest.approx(1 - (error**2).mean() / true[:, t].var())
        assert found.mae[t] == pytest.approx(np.abs(error).mean())


def test_constant_target_is_undefined_and_its_error_is_not():
    true = np.stack([np.arange(4.0), np.ones(4)], axis=1)
    found = regression(true, np.stack([np.full(4, 1.5), np.zeros(4)], axis=1))
    assert np.isnan(found.correlation).all()
    assert found.r2[0] == pytest.approx(0)
    assert np.isnan(found.r2[1])
    np.testing.assert_allclose(found.mae, [1, 1])
