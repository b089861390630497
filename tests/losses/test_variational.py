"""The terms of a CVAE's loss against closed forms, numpy and scipy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from fergen.core.errors import BadInput
from fergen.losses import variational
from fergen.models.cvae import transport

GRAY = 1 / 127.5


def test_divergence_is_the_integral_it_stands_for():
    """KL(N(m, s^2) || N(0, 1)) by quadrature of the two densities, which know nothing of the closed form."""
    x = np.linspace(-30, 30, 400_001)
    for m, s in ((0.0, 1.0), (1.5, 0.3), (-2.0, 2.5), (0.1, 0.05)):
        p, q = stats.norm(m, s), stats.norm()
        integrand = p.pdf(x) * (p.logpdf(x) - q.logpdf(x))
        want = integrand.sum() * (x[1] - x[0])
        got = variational.kl_per_unit(jnp.float32(m), jnp.float32(2 * np.log(s)))
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-6)


def test_divergence_is_least_at_the_prior():
    gradient = jax.grad(lambda m, v: variational.kl_per_unit(m, v), argnums=(0, 1))
    assert [float(g) for g in gradient(0.0, 0.0)] == [0.0, 0.0]
    assert float(gradient(0.5, 0.0)[0]) == pytest.approx(0.5)


def test_free_bits_are_of_the_mean_over_the_batch():
    kl = jnp.array([[0.0, 3.0, 0.2], [1.0, 5.0, 0.2]])  # means 0.5, 4, 0.2
    assert float(variational.with_free_bits(kl, 0.0)) == pytest.approx(4.7)
    assert float(variational.with_free_bits(kl, 0.4)) == pytest.approx(0.5 + 4 + 0.4)
    # Below its free bits a unit is left alone; above, it pays in full.
    pull = jax.grad(lambda k: variational.with_free_bits(k, 0.4))(kl)
    np.testing.assert_allclose(pull, [[0.5, 0.5, 0.0], [0.5, 0.5, 0.0]])


def test_warmup_rises_from_the_first_step_to_one():
    assert [float(variational.warmup(step, 4)) for step in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]
    assert float(variational.warmup(0, 0)) == 1.0


@pytest.fixture
def residual():
    return np.random.default_rng(0).normal(0, 0.3, (5, 8, 6, 2)).astype(np.float32)


@pytest.mark.parametrize(("kind", "density"), [("l2", stats.norm), ("l1", stats.laplace)])
def test_reconstruction_is_a_likelihood(kind, density, residual):
    """At a fixed scale it differs by constants alone from -log p; its own scale is the one where -log p is least."""

    def cost(r, scale):
        return -density(scale=scale).logpdf(r).sum() / len(r)

    got, half = (variational.reconstruction(kind, r, scale=0.2) for r in (residual, residual / 2))
    got -= half
    np.testing.assert_allclose(got, cost(residual, 0.2) - cost(residual / 2, 0.2), rtol=1e-4)

    scales = np.linspace(0.05, 1.0, 400)
    best = min(cost(residual, s) for s in scales) - min(cost(residual / 2, s) for s in scales)
    got = variational.reconstruction(kind, residual) - variational.reconstruction(kind, residual / 2)
    np.testing.assert_allclose(got, best, rtol=2e-3)


def test_charbonnier_is_l1_far_from_zero_and_smooth_at_it():
    far = variational.pixel_errors("charbonnier", jnp.float32(0.8)) - variational.pixel_errors("l1", jnp.float32(0.8))
    assert 0 < float(far) < GRAY**2
    slope = jax.grad(lambda r: variational.pixel_errors("charbonnier", r))
    assert float(slope(0.0)) == 0.0
    assert float(slope(GRAY)) == pytest.approx(0.5**0.5)


@pytest.mark.parametrize("kind", variational.RECONSTRUCTIONS)
def test_a_perfect_reconstruction_costs_a_finite_least(kind):
    value, gradient = jax.value_and_grad(lambda r: variational.reconstruction(kind, r))(jnp.zeros((2, 4, 4, 1)))
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()
    assert value < variational.reconstruction(kind, jnp.full((2, 4, 4, 1), 0.02))


def test_reconstruction_sums_over_pixels_and_averages_over_images(residual):
    whole = variational.reconstruction("l1", residual, scale=1.0)
    np.testing.assert_allclose(whole, np.abs(residual).sum() / 5, rtol=1e-5)


def test_unknown_reconstruction():
    with pytest.raises(BadInput, match="loss.reconstruction=l3: expected one of l2, l1, charbonnier"):
        variational.pixel_errors("l3", jnp.zeros(1))


def test_regions_weigh_their_pixels_alone():
    regions = {"eyes": ((0.0, 0.0, 0.5, 1.0), 3.0), "left": ((0.0, 0.0, 1.0, 0.25), 2.0)}
    weights = variational.region_weights(regions, 4, 8)
    assert weights.shape == (4, 8, 1)
    assert float(weights.mean()) == pytest.approx(1)
    relative = weights[..., 0] / weights[-1, -1, 0]
    np.testing.assert_allclose(relative[:2], [[6, 6, 3, 3, 3, 3, 3, 3]] * 2, rtol=1e-6)
    np.testing.assert_allclose(relative[2:], [[2, 2, 1, 1, 1, 1, 1, 1]] * 2, rtol=1e-6)

    # The same error costs three times as much among the eyes as elsewhere.
    def cost(row, column):
        error = np.zeros((1, 4, 8, 1), np.float32)
        error[0, row, column] = 0.5
        return float(variational.reconstruction("l2", error, scale=1.0, weights=weights))

    assert cost(0, 7) / cost(3, 7) == pytest.approx(3, rel=1e-5)
    assert cost(0, 0) / cost(3, 7) == pytest.approx(6, rel=1e-5)


def test_equal_weights_are_no_weights():
    assert variational.region_weights({"eyes": ((0.2, 0.1, 0.5, 0.9), 1.0)}, 48, 48) is None


@pytest.mark.parametrize(
    "box", [(0.5, 0, 0.5, 1), (0, 0, 1.2, 1), (0, 0.5, 1, 0.4), (0.01, 0.01, 0.02, 0.02), (0, 1, 1)]
)
def test_boxes_are_checked(box):
    with pytest.raises(BadInput, match="expected boxes"):
        variational.region_weights({"eyes": (box, 2.0)}, 8, 8)


def test_standard_normal_latents_have_no_velocity():
    """For such latents nothing beats standing still: the best velocity given x and t is 0."""
    latents = jax.random.normal(jax.random.key(0), (20_000, 2))
    key = jax.random.key(1)
    still = variational.velocity_error(lambda x, t: jnp.zeros_like(x), key, latents)
    assert float(still) == pytest.approx(2, rel=0.03)
    for push in (0.2, -0.2):
        assert variational.velocity_error(lambda x, t, p=push: p * x, key, latents) > still


def test_the_best_velocity_carries_noise_to_the_latents():
    """Latents N(m, s^2): the expectation of dx/d(angle) is known, and following it maps noise e to m + s e."""
    m, s = jnp.array([1.5, -0.5]), 0.4

    def velocity(x, time):
        cos, sin = (f(jnp.pi / 2 * time)[:, None] for f in (jnp.cos, jnp.sin))
        variance = cos**2 + (s * sin) ** 2
        # Linear regression of cos z - sin e on x = cos e + sin z.
        return cos * m + (s**2 - 1) * cos * sin / variance * (x - sin * m)

    latents = m + s * jax.random.normal(jax.random.key(0), (20_000, 2))
    key = jax.random.key(1)
    best = variational.velocity_error(velocity, key, latents)
    for wrong in (lambda x, t: velocity(x, t) + 0.1, lambda x, t: 0.9 * velocity(x, t)):
        assert variational.velocity_error(wrong, key, latents) > best
    noise = jax.random.normal(jax.random.key(2), (64, 2))
    np.testing.assert_allclose(transport(velocity, noise, 32), m + s * noise, atol=1e-2)
    np.testing.assert_allclose(transport(velocity, noise, 8), m + s * noise, atol=0.1)
