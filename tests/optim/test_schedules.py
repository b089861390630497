"""Schedules against optax and their closed forms."""

import jax
import numpy as np
import optax
import pytest

from fergen.optim import schedules

N = 40


def rates(config, lr: float = 0.2, updates: int = N, until: int | None = None) -> np.ndarray:
    return np.asarray(jax.vmap(schedules.build(config, lr, updates))(np.arange(until or updates)))


def test_constant():
    np.testing.assert_array_equal(rates(None), np.full(N, 0.2, np.float32))


def test_warmup_is_linear_and_starts_above_zero():
    np.testing.assert_allclose(rates({"name": "constant", "warmup": 4})[:6], 0.2 * np.array([0.25, 0.5, 0.75, 1, 1, 1]))
    np.testing.assert_array_equal(rates({"name": "cosine", "warmup": 4}), rates({"name": "cosine", "warmup": 0.1}))


def test_cosine_agrees_with_optax_after_warmup():
    ours = rates({"name": "cosine", "warmup": 8, "final": 0.1}, until=N + 5)
    theirs = optax.cosine_decay_schedule(0.2, N - 8, alpha=0.1)
    np.testing.assert_allclose(ours[8:], [theirs(t) for t in range(N + 5 - 8)], rtol=1e-5)
    np.testing.assert_allclose(ours[-1], 0.02, rtol=1e-5)


def test_step_agrees_with_optax():
    ours = rates({"name": "step", "at": (0.25, 30), "factor": 0.5})
    theirs = optax.piecewise_constant_schedule(0.2, {10: 0.5, 30: 0.5})
    np.testing.assert_allclose(ours, [theirs(t) for t in range(N)], rtol=1e-6)


def test_onecycle_rises_to_the_peak_and_falls_to_the_end():
    ours = rates({"name": "onecycle", "warmup": 0.25, "start": 0.04, "final": 0.001}, until=N + 3)
    np.testing.assert_allclose(ours[[0, 9, N - 1, N + 2]], [0.008, 0.2, 0.0002, 0.0002], rtol=1e-3)
    assert (np.diff(ours[:10]) > 0).all()
    assert (np.diff(ours[9:N]) < 0).all()
    half_down = 9 + (N - 1 - 9) / 2
    np.testing.assert_allclose(schedules.build({"name": "onecycle", "warmup": 0.25}, 0.2, N)(half_down), 0.1, rtol=1e-3)


@pytest.mark.parametrize("name", ["constant", "cosine", "step", "onecycle"])
@pytest.mark.parametrize("updates", [1, 2, 3])
def test_shortest_runs_are_finite(name, updates):
    found = rates({"name": name}, updates=updates, until=updates + 1)
    assert np.isfinite(found).all()
    assert (found >= 0).all()
