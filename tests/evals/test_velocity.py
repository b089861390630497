"""The flow's loss on validation, with predictions in closed form."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fergen.evals import velocity


class FakeSplit(SimpleNamespace):
    def __len__(self):
        return len(self.images)


@pytest.fixture
def split():
    rng = np.random.default_rng(0)
    return FakeSplit(images=rng.integers(0, 256, (101, 4, 4, 1), np.uint8), rows={"label": np.arange(101) % 7})


def predict(error):
    return {"draw": lambda key: jax.random.normal(key, (4, 4, 1)), "velocity_error": error}


def test_times_cover_the_way_evenly(split):
    evaluate = velocity.build(predict(lambda v, images, labels, noise, time: time), split, batch=16)
    scores = evaluate({})
    assert scores["validation/loss"] == pytest.approx(0.5, abs=0.01)
    quarters = {name: value for name, value in scores.items() if name != "validation/loss"}
    assert set(quarters) == {f"validation/loss/time{t}" for t in (0.125, 0.375, 0.625, 0.875)}
    for name, value in quarters.items():
        assert value == pytest.approx(float(name.rpartition("time")[2]), abs=0.02)


def test_rows_are_counted_once_whatever_the_batch(split):
    def error(variables, images, labels, noise, time):
        return variables * images.astype(jnp.float32).mean((1, 2, 3)) + labels + noise.mean((1, 2, 3)) * time

    scores = [velocity.build(predict(error), split, batch=batch)(2.0) for batch in (16, 101, 500)]
    for other in scores[1:]:
        assert other == pytest.approx(scores[0], rel=1e-5)
    # Without the noise's part, which is 0.25 / sqrt(101) at most in the mean.
    plain = (2.0 * split.images.mean((1, 2, 3)) + split.rows["label"]).mean()
    assert scores[0]["validation/loss"] == pytest.approx(plain, abs=0.1)
    assert scores[0] == velocity.build(predict(error), split, batch=16)(2.0), "noise and times are fixed"
