"""Private gradients against closed forms, noise by its moments, and the accountant against the library itself."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fergen.core.errors import BadInput
from fergen.optim import accounting
from fergen.optim.private import private_gradient

pytest.importorskip("jax_privacy")
import dp_accounting

RNG = np.random.default_rng(0)
X = RNG.normal(size=(8, 5)).astype(np.float32) * np.linspace(0.1, 3, 8, dtype=np.float32)[:, None]
Y = RNG.normal(size=8).astype(np.float32)
PARAMS = {"w": jnp.asarray(RNG.normal(size=5), jnp.float32), "b": jnp.float32(0.3)}
CLIP = 1.5


def loss(params, rows, key):
    x, y = rows
    error = x @ params["w"] + params["b"] - y
    return jnp.square(error).sum() / 2, error[0]


def by_hand(x, y, mask, expected):
    """The gradient of (w x + b - y)^2 / 2 is the error times (x, 1): clipped, summed, divided."""
    error = x @ np.asarray(PARAMS["w"]) + 0.3 - y
    each = error[:, None] * np.concatenate([x, np.ones((len(x), 1), np.float32)], axis=1)
    each *= np.minimum(1, CLIP / np.linalg.norm(each, axis=1, keepdims=True)) * mask[:, None]
    return each.sum(0) / expected


def flat(tree):
    return np.concatenate([np.asarray(tree["w"]), np.asarray(tree["b"])[None]])


def test_clipped_sum_is_that_by_hand():
    mask = np.array([1, 1, 0, 1, 1, 1, 1, 0], np.float32)
    for microbatch in (0, 2):
        gradient = private_gradient(loss, clip_norm=CLIP, noise_multiplier=0, expected=5, microbatch=microbatch)
        (losses, errors, norms), found = jax.jit(gradient)(PARAMS, (X, Y), mask, jax.random.key(0))
        np.testing.assert_allclose(flat(found), by_hand(X, Y, mask, 5), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(losses[:2], np.square(errors[:2]) / 2, rtol=1e-5)
    assert (np.asarray(norms)[:7] > CLIP).any()
    assert (np.asarray(norms)[:7] < CLIP).any()


def test_a_replaced_row_moves_the_gradient_by_twice_the_clip_at_most():
    gradient = jax.jit(private_gradient(loss, clip_norm=CLIP, noise_multiplier=0, expected=4))
    mask, key = np.ones(8, np.float32), jax.random.key(0)
    before = flat(gradient(PARAMS, (X, Y), mask, key)[1])
    for row, scale in ((0, 1e4), (5, -1e4), (7, np.nan)):
        x, y = X.copy(), Y.copy()
        x[row], y[row] = x[row] * scale, -y[row] * 100
        moved = np.linalg.norm(flat(gradient(PARAMS, (x, y), mask, key)[1]) - before)
        assert moved <= 2 * CLIP / 4 + 1e-5
        # The row alone, there or not.
        without = flat(gradient(PARAMS, (x, y), np.arange(8) != row, key)[1])
        assert np.linalg.norm(without - flat(gradient(PARAMS, (x, y), mask, key)[1])) <= CLIP / 4 + 1e-5


def test_noise_has_its_deviation_and_each_key_its_own():
    noisy = private_gradient(loss, clip_norm=CLIP, noise_multiplier=2.0, expected=4)
    plain = flat(jax.jit(noisy)(PARAMS, (X, Y), np.zeros(8, np.float32), jax.random.key(0))[1])
    keys = jax.random.split(jax.random.key(1), 2000)
    draws = jax.jit(jax.vmap(lambda key: noisy(PARAMS, (X, Y), jnp.zeros(8), key)[1]))(keys)
    draws = np.concatenate([np.asarray(draws["w"]), np.asarray(draws["b"])[:, None]], axis=1)
    deviation = 2.0 * CLIP / 4
    assert np.isfinite(plain).all()
    # 12,000 normal draws: their deviation is within 1 % with a standard error of .65 %.
    assert draws.std() == pytest.approx(deviation, rel=0.03)
    assert np.abs(draws.mean(0)).max() < 5 * deviation / math.sqrt(2000)
    assert np.abs(np.corrcoef(draws.T) - np.eye(6)).max() < 0.12


def test_epsilon_is_the_library_s_and_grows_with_steps():
    rate, delta = 256 / 60000, 1e-5
    rdp = dp_accounting.rdp.RdpAccountant()
    rdp.compose(dp_accounting.PoissonSampledDpEvent(rate, dp_accounting.GaussianDpEvent(1.1)), 14062)
    # The tutorial of TensorFlow Privacy: 60 epochs of MNIST, 3.56 by RDP in later versions' conversion 2.92.
    upper, found = rdp.get_epsilon(delta), accounting.epsilon(1.1, rate, 14062, delta)
    assert 0.85 * upper < found < upper
    fine = dp_accounting.pld.PLDAccountant(value_discretization_interval=1e-4)
    fine.compose(dp_accounting.PoissonSampledDpEvent(rate, dp_accounting.GaussianDpEvent(1.1)), 1000)
    coarse = accounting.epsilon(1.1, rate, 1000, delta)
    assert fine.get_epsilon(delta) <= coarse < 1.02 * fine.get_epsilon(delta)
    grown = [accounting.epsilon(1.0, 0.02, steps, delta) for steps in (0, 1, 10, 100, 1000)]
    assert grown[0] == 0
    assert sorted(set(grown)) == grown
    # One step with every row is the Gaussian mechanism: Balle & Wang 2018 (arXiv:1805.06530), theorem 8.
    eps = accounting.epsilon(2.0, 1.0, 1, delta)

    def normal(x):
        return math.erfc(-x / math.sqrt(2)) / 2

    exact = normal(1 / 4 - 2 * eps) - math.exp(eps) * normal(-1 / 4 - 2 * eps)
    assert exact == pytest.approx(delta, rel=0.02)


@pytest.mark.parametrize("target", [0.5, 2.0, 8.0])
def test_noise_that_is_found_gives_the_target(target):
    noise = accounting.noise_multiplier(target, 0.03, 200, 1e-5)
    assert 0.98 * target < accounting.epsilon(noise, 0.03, 200, 1e-5) <= target


def test_without_the_library_one_line_says_what_to_install(monkeypatch):
    for name in ("jax_privacy", "dp_accounting"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
        with pytest.raises(BadInput, match=r"pip install 'fergen\[private\]'"):
            accounting.library(name)
