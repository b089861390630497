"""How much a classifier's features know about the facial action units it was never told of."""

from collections.abc import Sequence

import numpy as np

from fergen.metrics.regression import regression


def evaluate(
    fit_features: np.ndarray,
    fit_units: np.ndarray,
    features: np.ndarray,
    units: np.ndarray,
    names: Sequence[str] | None = None,
) -> dict[str, float]:
    """Fit a ridge regression from features to action-unit intensities, and score it on other rows.

    The penalty is chosen among seven decades by leave-one-out error on the rows fitted, in closed form.

    Args:
      fit_features: float [m, F], features of training or validation rows.
      fit_units: float [m, A], their true intensities.
      features: float [n, F], features of the rows to score.
      units: float [n, A], their true intensities.
      names: A names such as "AU12"; numbers where None.

    Returns:
      `action_units/n`, the means `action_units/correlation`, `/r2` and `/mae` over the units that vary, and
      `action_units/<measure>/<name>` for each unit (NaN where it does not vary).
    """
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    names = [str(i) for i in range(units.shape[1])] if names is None else list(names)
    model = make_pipeline(StandardScaler(), RidgeCV(alphas=np.logspace(-2, 4, 7)))
    model.fit(np.asarray(fit_features, np.float64), np.asarray(fit_units, np.float64))
    figures = regression(units, model.predict(np.asarray(features, np.float64)).reshape(units.shape))
    scores: dict[str, float] = {"action_units/n": len(units)}
    varies = np.ptp(units, axis=0) > 0
    for measure, values in figures._asdict().items():
        scores[f"action_units/{measure}"] = float(np.nanmean(values[varies])) if varies.any() else float("nan")
        scores |= {f"action_units/{measure}/{name}": float(value) for name, value in zip(names, values)}
    return scores
