"""How well continuous targets, such as action-unit intensities, are predicted."""

from typing import NamedTuple

import numpy as np


class Regression(NamedTuple):
    """Figures per target, each float64 [targets]."""

    correlation: np.ndarray  # Pearson's r in [-1, 1]; NaN where target or prediction is constant
    r2: np.ndarray  # coefficient of determination, at most 1; NaN where the target is constant
    mae: np.ndarray  # mean absolute error, in the target's units


def regression(true: np.ndarray, predicted: np.ndarray) -> Regression:
    """Measure predictions of several targets, one by one.

    Args:
      true: float [n, targets], n at least 2.
      predicted: float [n, targets].

    Returns:
      A Regression.
    """
    from sklearn.metrics import mean_absolute_error, r2_score

    true, predicted = np.asarray(true, np.float64), np.asarray(predicted, np.float64)
    centred = [values - values.mean(0) for values in (true, predicted)]
    product = np.sqrt(np.square(centred[0]).sum(0) * np.square(centred[1]).sum(0))
    varies = np.ptp(true, axis=0) > 0
    correlation = np.full(true.shape[1], np.nan)
    np.divide(
        (centred[0] * centred[1]).sum(0), product, out=correlation, where=varies & (np.ptp(predicted, axis=0) > 0)
    )
    r2 = np.where(varies, r2_score(true, predicted, multioutput="raw_values"), np.nan)
    return Regression(correlation, r2, mean_absolute_error(true, predicted, multioutput="raw_values"))
