"""Flow matching where everything is known: one dimension, Gaussian data."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from fergen.losses import flow

MEAN, STD = 0.7, 0.4


@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (0.5, 1.2)])
def test_times_are_logit_normal(mean, std):
    draw = jax.jit(jax.vmap(lambda key: flow.times(key, 16, mean=mean, std=std)))
    found = np.asarray(draw(jax.random.split(jax.random.key(0), 1000)), np.float64)
    quantiles = stats.norm.cdf((np.log(found) - np.log1p(-found) - mean) / std)
    # Each entry by itself: the greatest distance between distributions stays under its 0.1 % bound.
    for entry in (0, 7, 15):
        assert stats.kstest(quantiles[:, entry], "uniform").pvalue > 1e-3
    # Those of one batch: a regular grid of quantiles, so that each sixteenth of them holds one.
    np.testing.assert_allclose(np.diff(np.sort(quantiles, axis=1), axis=1), 1 / 16, atol=1e-3)


def test_paths_are_straight():
    rng = np.random.default_rng(0)
    noise, data = rng.normal(size=(2, 3, 4, 5, 2)).astype(np.float32)
    ends = [flow.between(noise, data, jnp.full(3, t)) for t in (0.0, 1.0)]
    np.testing.assert_array_equal(ends[0], noise)
    np.testing.assert_array_equal(ends[1], data)
    time = np.array([0.1, 0.5, 0.8], np.float32)
    x = flow.between(noise, data, time)
    np.testing.assert_allclose(x[1], (noise[1] + data[1]) / 2, atol=1e-6)
    # The path's own velocity has no error and arrives at the data from anywhere.
    np.testing.assert_array_equal(flow.velocity_error(data - noise, noise, data), 0)
    np.testing.assert_allclose(flow.arrival(x, data - noise, time), data, atol=1e-5)
    off = flow.velocity_error(data - noise + jnp.asarray([1.0, 2.0, 3.0])[:, None, None, None], noise, data)
    np.testing.assert_allclose(off, [1, 4, 9], rtol=1e-5)


@pytest.mark.parametrize("time", [0.05, 0.5, 0.9])
def test_the_minimiser_is_the_expected_velocity(time):
    """Of data N(m, s^2): m + (t s^2 - (1 - t)) / (t^2 s^2 + (1 - t)^2) (x - t m), affine in x."""
    rng = np.random.default_rng(0)
    n = 200_000
    noise, data = rng.normal(size=(2, n, 1)).astype(np.float32)
    data = MEAN + STD * data
    x = np.asarray(flow.between(noise, data, jnp.full(n, time)))

    @jax.jit
    def loss(line):
        return flow.velocity_error(line[0] + line[1] * x, noise, data).mean()

    # The loss is quadratic in (intercept, slope): one Newton step from anywhere is its minimum.
    start = jnp.zeros(2)
    best = start - jnp.linalg.solve(jax.hessian(loss)(start), jax.grad(loss)(start))
    variance = time**2 * STD**2 + (1 - time) ** 2
    slope = (time * STD**2 - (1 - time)) / variance
    np.testing.assert_allclose(best, [MEAN - slope * time * MEAN, slope], atol=0.02)
    # What no velocity can know: the variance of the path's velocity given x.
    left = STD**2 + 1 - slope**2 * variance
    assert float(loss(best)) == pytest.approx(left, rel=0.02)
    # It arrives at the expectation of the data given x.
    points = jnp.asarray([[-1.0], [0.0], [2.0]])
    arrived = flow.arrival(points, best[0] + best[1] * points, jnp.full(3, time))
    expected = MEAN + time * STD**2 / variance * (points - time * MEAN)
    np.testing.assert_allclose(arrived, expected, atol=0.02)
