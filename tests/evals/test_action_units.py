"""Action units from features: found where they are, not found where they are not."""

import numpy as np
import pytest

from fergen.evals.action_units import evaluate


def test_linear_units_are_found_and_noise_is_not():
    rng = np.random.default_rng(0)
    units = rng.random((400, 3))
    units[:, 2] = 0.0  # never active
    features = units @ rng.normal(size=(3, 10)) + 0.01 * rng.normal(size=(400, 10))
    scores = evaluate(features[:300], units[:300], features[300:], units[300:], ["AU12", "AU4", "AU9"])
    assert scores["action_units/n"] == 100
    assert scores["action_units/r2/AU12"] > 0.99
    assert scores["action_units/correlation"] > 0.99
    assert np.isnan(scores["action_units/correlation/AU9"])
    assert scores["action_units/mae/AU9"] == pytest.approx(0, abs=1e-6)
    noise = evaluate(rng.normal(size=(300, 10)), units[:300], rng.normal(size=(100, 10)), units[300:])
    assert abs(noise["action_units/correlation/0"]) < 0.3
