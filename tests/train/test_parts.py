"""Steps of several programs: which run, what they report, and that a dispatch of several steps is the same."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fergen.core import mesh
from fergen.train.parts import kinds_of, taker


def due(step):
    return ("add", "double") if step % 3 == 0 else ("add",)


def add(state, frozen, arrays, item):
    return state + item, {"loss": state, "added": item}


def double(state, frozen, arrays, item):
    return 2 * state, {"loss": jnp.ones(()), "doubled": state}


PARTS = {"add": add, "double": double}


@pytest.mark.parametrize("k", [1, 2, 6])
def test_parts_take_turns(k):
    """1, 2, ... are added; at every third step, from the first on, the sum doubles behind that."""
    take = taker(PARTS, due, k, mesh.replicated(mesh.build(jax.devices()[:1])))
    state, total = jnp.zeros(()), 0.0
    for step in range(0, 6, k):
        before, lazy = [], []
        for i in range(step, step + k):
            before.append(total + (i % 3 == 0))
            total += i + 1
            if i % 3 == 0:
                lazy.append(total)
                total *= 2
        state, metrics = take(step, state, {}, {}, jnp.arange(step, step + k) + 1.0)
        assert float(state) == total
        # What several parts report adds up; means are over the steps that report.
        assert metrics["loss"] == pytest.approx(np.mean(before))
        assert metrics["added"] == pytest.approx(np.mean(np.arange(step, step + k) + 1))
        assert ("doubled" in metrics) == bool(lazy)
        if lazy:
            assert metrics["doubled"] == pytest.approx(np.mean(lazy))


def test_kinds_of_dispatches():
    """Two steps of three programs, or of two: by what they run, whatever the order."""
    assert kinds_of(due, range(0, 6), 1) == {
        ("add", "double"): (0, pytest.approx(1 / 3)),
        ("add",): (1, pytest.approx(2 / 3)),
    }
    assert kinds_of(due, range(0, 12, 2), 2) == {
        ("add", "add", "double"): (0, pytest.approx(2 / 3)),
        ("add", "add"): (4, pytest.approx(1 / 3)),
    }
