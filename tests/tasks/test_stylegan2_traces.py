"""Recorded trainings of the reference code, in double precision: its optimiser and its average, step by step.

A tensor's gradients and values are recorded as norms. Of the strengths of the layers' noise, which are single numbers,
these are the numbers themselves but for their signs: what Adam makes of a strength's gradients is all there, for twenty
steps of the generator's game with five of path lengths between.
"""

from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from fergen.tasks.stylegan2_phases import averaged
from tests.tasks.test_stylegan2 import make

STORED = np.load(Path(__file__).parent / "stylegan2_strengths.npz")


@pytest.mark.parametrize("trace", ["noaug", "ada_bgc"])
def test_strengths_move_as_recorded(trace):
    """Rate and memory of the lazy phases' Adam, its order, and the average with its ramp: to 1e-14."""
    end = STORED[f"{trace}/G_end"]
    # No strength comes to 0, so each keeps the sign that it ends with; as b1 = 0, steps are against their gradients.
    values = np.sign(end) * STORED[f"{trace}/values"]
    signs = -np.sign(np.diff(values, axis=0))
    gradients = STORED[f"{trace}/gradients"][1:] * signs
    np.testing.assert_allclose(values[-1], end, rtol=1e-12)
    task = make(optim__lr=0.0025, loss__pl_interval=4, average__kimg=0.05, average__ramp=0.05)
    with jax.enable_x64(True):
        # The sign of the first gradient is not seen, and does not matter to what follows: it enters squared.
        tx = task.tx["generator"]
        zeros = jnp.zeros_like(jnp.asarray(end))
        _, state = tx.update(jnp.asarray(STORED[f"{trace}/gradients"][0]), tx.init(zeros), zeros)
        found = jnp.asarray(values[0])
        trajectory = [found]
        for gradient in gradients:
            change, state = tx.update(jnp.asarray(gradient), state, found)
            found = optax.apply_updates(found, change)
            trajectory.append(found)
        np.testing.assert_allclose(np.stack(trajectory), values, rtol=0, atol=1e-14)
        at, average = -1, {"params": zeros}
        for step in range(20):
            at += 1 if step % 4 else 2
            net = SimpleNamespace(params=trajectory[at], ema=average, collections={})
            average = averaged(net, jnp.int32(step), 8, task.average)
        np.testing.assert_allclose(average["params"], STORED[f"{trace}/G_ema_end"], rtol=0, atol=1e-14)
