"""The solvers against equations with known solutions, and their orders of convergence."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fergen.nn import ode

solvers = pytest.mark.parametrize("solver", ode.SOLVERS)


def swing(x, t):
    """dx/dt = 3 cos(5 t) x, of which x(1) = x(0) exp(3 sin(5) / 5)."""
    return 3 * jnp.cos(5 * t) * x


@pytest.mark.parametrize("shift", [1.0, 0.5, 3.0])
def test_times(shift):
    n = 10
    found = np.array([ode.time_of(i, n, shift) for i in range(n + 1)])
    assert (found[0], found[-1]) == (0, 1)
    assert (np.diff(found) > 0).all()
    # Of the noise left: odds are multiplied by the shift.
    left, plain = 1 - found[1:-1], 1 - np.arange(1, n) / n
    np.testing.assert_allclose(left / (1 - left), shift * plain / (1 - plain), rtol=1e-4)
    np.testing.assert_allclose(jax.jit(lambda i: ode.time_of(i, n, shift))(3), found[3], rtol=1e-6)


@pytest.mark.parametrize(("solver", "order"), [("euler", 1), ("heun", 2)])
@pytest.mark.parametrize("shift", [1.0, 2.0])
def test_orders_of_convergence(solver, order, shift):
    exact = np.exp(3 * np.sin(5) / 5)
    steps = (32, 64, 128)
    errors = [abs(float(ode.integrate(solver, swing, jnp.ones(()), n, shift)) - exact) for n in steps]
    assert errors[0] < 0.1
    for coarse, fine in zip(errors, errors[1:]):
        assert np.log2(coarse / fine) == pytest.approx(order, abs=0.25)


@solvers
def test_straight_paths_take_one_step(solver):
    x = jnp.asarray([1.0, -2.0])
    target = jnp.asarray([3.0, 5.0])
    for steps in (1, 4):
        np.testing.assert_allclose(
            ode.integrate(solver, lambda x, t: target - jnp.asarray([1.0, -2.0]), x, steps), target
        )


@solvers
def test_steps_called_one_by_one_are_the_loop(solver):
    x = jnp.linspace(-1, 1, 5)
    together = ode.integrate(solver, swing, x, 7, 1.5)
    step = jax.jit(lambda x, i: ode.step(solver, swing, x, i, 7, 1.5))
    for i in range(7):
        x = step(x, i)
    np.testing.assert_allclose(x, together, rtol=1e-5)


@solvers
def test_the_end_itself_is_never_asked(solver):
    def undefined_at_the_end(x, t):
        return jnp.where(t >= 1, jnp.nan, -x)

    assert np.isfinite(ode.integrate(solver, undefined_at_the_end, jnp.ones(3), 4)).all()


def test_evaluations_per_step():
    asked = []

    def velocity(x, t):
        asked.append(float(t))
        return x

    for solver, count in (("euler", 1), ("heun", 2)):
        asked.clear()
        ode.step(solver, velocity, jnp.ones(()), 1, 4)
        assert asked == [0.25, 0.5][:count]


MEAN = np.array([0.5, -1.0], np.float32)
COVARIANCE = np.array([[1.0, 0.6], [0.6, 0.5]], np.float32)


def gaussian_velocity(x, t):
    """Lead N(0, I) to N(m, S) by the expectation of data less noise, which is affine in x.

    With C = t^2 S + (1 - t)^2 I: v = m + (t S - (1 - t) I) C^-1 (x - t m).
    """
    eye = jnp.eye(2)
    c = t**2 * COVARIANCE + (1 - t) ** 2 * eye
    gain = (t * COVARIANCE - (1 - t) * eye) @ jnp.linalg.inv(c)
    return MEAN + (x - t * MEAN) @ gain.T


def test_noise_becomes_the_gaussian_that_the_velocity_leads_to():
    noise = np.random.default_rng(0).normal(size=(4096, 2)).astype(np.float32)
    found = np.asarray(ode.integrate("heun", gaussian_velocity, jnp.asarray(noise), 100))
    # All matrices commute, so that the exact map is x = m + S^(1/2) noise.
    values, vectors = np.linalg.eigh(COVARIANCE)
    root = vectors @ np.diag(np.sqrt(values)) @ vectors.T
    np.testing.assert_allclose(found, MEAN + noise @ root, atol=0.01)
    np.testing.assert_allclose(found.mean(0), MEAN, atol=0.05)
    np.testing.assert_allclose(np.cov(found.T), COVARIANCE, atol=0.05)
    # Few steps of the method of higher order come nearer than many of the other.
    rough = [
        ode.integrate(solver, gaussian_velocity, jnp.asarray(noise), n) for solver, n in (("heun", 16), ("euler", 32))
    ]
    heun, euler = (np.abs(x - (MEAN + noise @ root)).mean() for x in rough)
    assert heun < 0.5 * euler
