"""The perceptual distance: a distance, blind to the scale of features, and with a gradient that leads home."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fergen.losses.perceptual import feature_distance, moment_distance, style_distance


@pytest.fixture
def maps():
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=(3, 4, 4, 8)).astype(np.float32) for name in ("a", "b")}


def test_zero_at_equality_and_nowhere_else(maps):
    np.testing.assert_array_equal(feature_distance(maps, maps, ("a", "b")), 0)
    other = {**maps, "b": maps["b"].copy()}
    other["b"][1, 2, 3] += 1
    far = feature_distance(other, maps, ("a", "b"))
    assert far[1] > 1e-3
    np.testing.assert_array_equal(far[np.array([0, 2])], 0)
    # A layer that is not named does not count.
    np.testing.assert_array_equal(feature_distance(other, maps, ("a",)), 0)


def test_is_two_less_two_cosines(maps):
    """Between unit vectors |a - b|^2 = 2 - 2 cos."""
    a, b = maps["a"].astype(np.float64), maps["b"].astype(np.float64)
    cosine = (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)
    got = feature_distance({"x": maps["a"]}, {"x": maps["b"]}, ("x",))
    np.testing.assert_allclose(got, (2 - 2 * cosine).mean((1, 2)), rtol=1e-4)
    louder = {"x": 50 * maps["a"]}
    np.testing.assert_allclose(feature_distance(louder, {"x": maps["b"]}, ("x",)), got, rtol=1e-4)


def test_gradient_leads_to_the_target():
    """Descent on pixels through a fixed nonlinear map brings images together where they look alike to it."""
    rng = np.random.default_rng(1)
    kernel = rng.normal(size=(2, 16)).astype(np.float32)
    target = rng.normal(size=(2, 5, 5, 2)).astype(np.float32)

    def distance(x):
        seen = [{"m": jnp.tanh(image @ kernel)} for image in (x, target)]
        return feature_distance(*seen, ("m",)).sum()

    x, grad = jnp.asarray(rng.normal(size=target.shape), jnp.float32), jax.jit(jax.grad(distance))
    start = distance(x)
    for _ in range(200):
        x -= 2.0 * grad(x)
    assert distance(x) < 0.05 * start
    np.testing.assert_allclose(grad(jnp.asarray(target)), 0, atol=1e-6)


def test_features_of_nothing_have_a_finite_gradient():
    zeros = {"m": jnp.zeros((1, 2, 2, 4))}
    gradient = jax.grad(lambda x: feature_distance({"m": x}, {"m": jnp.ones((1, 2, 2, 4))}, ("m",)).sum())(zeros["m"])
    assert np.isfinite(gradient).all()


def test_style_looks_at_which_features_meet_not_where(maps):
    moved = {name: np.roll(x, (1, 2), axis=(1, 2)) for name, x in maps.items()}
    np.testing.assert_allclose(style_distance(moved, maps, ("a", "b")), 0, atol=1e-8)
    assert (feature_distance(moved, maps, ("a",)) > 0.1).all()


def test_style_in_numpy(maps):
    def gram(x):
        x = x.reshape(3, 16, 8).astype(np.float64)
        return x.transpose(0, 2, 1) @ x / 16

    a, b = gram(maps["a"]), gram(maps["b"])
    want = ((a - b) ** 2).sum((1, 2)) / (b**2).sum((1, 2))
    np.testing.assert_allclose(style_distance({"x": maps["a"]}, {"x": maps["b"]}, ("x",)), want, rtol=1e-4)
    nothing = {name: np.zeros_like(x) for name, x in maps.items()}
    np.testing.assert_allclose(style_distance(nothing, maps, ("a", "b")), 1, rtol=1e-4)


def test_moments_are_of_sets(maps):
    """The order and number of images say nothing; one set's texture that the other lacks does."""
    shuffled = {name: np.concatenate([x[::-1], x]) for name, x in maps.items()}
    np.testing.assert_allclose(moment_distance(shuffled, maps, ("a", "b")), 0, atol=1e-10)
    grams = {name: (x.reshape(-1, 8).T @ x.reshape(-1, 8)) / (3 * 16) for name, x in maps.items()}
    want = np.square(grams["a"] - grams["b"]).sum() / np.square(grams["b"]).sum()
    np.testing.assert_allclose(moment_distance({"x": maps["a"]}, {"x": maps["b"]}, ("x",)), want, rtol=1e-3)
