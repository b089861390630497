"""Adversarial losses, penalties and the data-to-data cross-entropy in closed form and against numpy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fergen.losses import adversarial
from fergen.losses.adversarial import (
    critic_loss,
    data_to_data_cross_entropy,
    generator_loss,
    mismatch_loss,
    zero_centred_penalty,
)

REAL = np.array([2.0, -1.0, 0.5], np.float32)
FAKE = np.array([-3.0, 1.5, 0.0], np.float32)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_logistic_is_binary_cross_entropy():
    expected = -np.log(sigmoid(REAL)).mean() - np.log(1 - sigmoid(FAKE)).mean()
    np.testing.assert_allclose(critic_loss("logistic", REAL, FAKE), expected, rtol=1e-6)
    np.testing.assert_allclose(generator_loss("logistic", FAKE), -np.log(sigmoid(FAKE)).mean(), rtol=1e-6)


def test_hinge():
    np.testing.assert_allclose(critic_loss("hinge", REAL, FAKE), (0 + 2 + 0.5) / 3 + (0 + 2.5 + 1) / 3, rtol=1e-6)
    np.testing.assert_allclose(generator_loss("hinge", FAKE), 0.5, rtol=1e-6)


def test_relativistic_pairs_row_by_row_and_mirrors():
    expected = -np.log(sigmoid(REAL - FAKE)).mean()
    np.testing.assert_allclose(critic_loss("relativistic", REAL, FAKE), expected, rtol=1e-6)
    np.testing.assert_allclose(critic_loss("relativistic", REAL + 7, FAKE + 7), expected, rtol=1e-5)
    np.testing.assert_allclose(generator_loss("relativistic", FAKE, REAL), -np.log(sigmoid(FAKE - REAL)).mean(), 1e-5)
    with pytest.raises(ValueError, match="pairs with real images"):
        generator_loss("relativistic", FAKE)


def test_smoothing_is_one_sided():
    """Real images count as real with probability 1 - s; nothing changes for fakes."""
    s = 0.1
    real = -((1 - s) * np.log(sigmoid(REAL)) + s * np.log(1 - sigmoid(REAL))).mean()
    fake = -np.log(1 - sigmoid(FAKE)).mean()
    np.testing.assert_allclose(critic_loss("logistic", REAL, FAKE, s), real + fake, rtol=1e-6)
    pair = REAL - FAKE
    expected = -((1 - s) * np.log(sigmoid(pair)) + s * np.log(1 - sigmoid(pair))).mean()
    np.testing.assert_allclose(critic_loss("relativistic", REAL, FAKE, s), expected, rtol=1e-5)
    np.testing.assert_allclose(critic_loss("hinge", REAL, FAKE, s), (1.9 + 0.4) / 3 + 3.5 / 3, rtol=1e-6)
    # At the optimum of a smoothed logistic critic on real images alone, sigmoid(D) = 1 - s.
    best = jnp.full((1,), np.log((1 - s) / s))
    far = jnp.full((1,), -80.0)
    np.testing.assert_allclose(jax.grad(lambda r: critic_loss("logistic", r, far, s))(best), 0, atol=1e-6)


@pytest.mark.parametrize("kind", adversarial.KINDS)
def test_losses_push_the_right_way_and_stay_finite(kind):
    real, fake = jnp.array([300.0, -300.0]), jnp.array([-300.0, 300.0])
    grads = jax.grad(lambda r, f: critic_loss(kind, r, f), (0, 1))(real, fake)
    assert (grads[0] <= 0).all()
    assert (grads[1] >= 0).all()
    assert grads[0][1] < 0 < grads[1][1]
    pushed = jax.grad(lambda f: generator_loss(kind, f, real))(fake)
    assert np.isfinite(critic_loss(kind, real, fake))
    assert (pushed <= 0).all()
    assert pushed[0] < 0, "a fake that the critic is sure of still gets a gradient: non-saturating"


@pytest.mark.parametrize(
    ("kind", "of"),
    [
        ("logistic", lambda own, other: np.log1p(np.exp(other))),
        ("hinge", lambda own, other: max(0, 1 + other)),
        ("relativistic", lambda own, other: np.log1p(np.exp(other - own))),
    ],
)
def test_mismatch_is_the_mean_over_wrong_labels(kind, of):
    each = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    labels = np.array([2, 0, 1, 0])
    losses = [of(each[i, labels[i]], each[i, k]) for i in range(4) for k in range(3) if k != labels[i]]
    np.testing.assert_allclose(mismatch_loss(kind, each, labels), np.mean(losses), rtol=1e-6)


def test_penalty_of_a_linear_critic_is_half_its_squared_norm():
    rng = np.random.default_rng(0)
    w = jnp.asarray(rng.normal(size=(4, 5, 2)), jnp.float32)
    images = jnp.asarray(rng.normal(size=(3, 4, 5, 2)), jnp.float32)

    def penalty(w):
        return zero_centred_penalty(lambda x: jnp.einsum("bhwc,hwc->b", x, w), images)

    np.testing.assert_allclose(penalty(w), (w**2).sum() / 2, rtol=1e-5)
    np.testing.assert_allclose(jax.grad(penalty)(w), w, rtol=1e-5)


def test_penalty_of_a_quadratic_critic_is_the_mean_over_images():
    images = jnp.asarray(np.random.default_rng(0).normal(size=(3, 2, 2, 1)), jnp.float32)
    found = zero_centred_penalty(lambda x: (x**2).sum((1, 2, 3)), images)
    np.testing.assert_allclose(found, (4 * np.square(images).sum((1, 2, 3))).mean() / 2, rtol=1e-5)


def d2d_by_hand(f, v, labels, t, positive, negative):
    """The paper's sum, image by image."""
    losses = []
    for i, y in enumerate(labels):
        a = np.exp(min(f[i] @ v[y] - positive, 0) / t)
        b = sum(np.exp(max(f[i] @ f[j] - negative, 0) / t) for j in range(len(f)) if labels[j] != y)
        losses.append(-np.log(a / (a + b)))
    return np.mean(losses)


@pytest.mark.parametrize(("t", "positive", "negative"), [(0.5, 0.98, 0.02), (0.1, 0.4, 0.3)])
def test_data_to_data_cross_entropy_is_the_papers_sum(t, positive, negative):
    rng = np.random.default_rng(0)
    f, v = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (rng.normal(size=(6, 4)), rng.normal(size=(3, 4))))
    labels = np.array([0, 1, 1, 2, 0, 1])
    found = data_to_data_cross_entropy(
        jnp.asarray(f), jnp.asarray(v), jnp.asarray(labels), temperature=t, positive_margin=positive,
        negative_margin=negative,
    )  # fmt: skip
    np.testing.assert_allclose(found, d2d_by_hand(f, v, labels, t, positive, negative), rtol=1e-5)


def test_data_to_data_cross_entropy_leaves_easy_images_alone():
    """At their proxies, and at right angles to other classes: the loss is log(1 + n) and has no gradient."""
    v = jnp.eye(3)
    labels = jnp.array([0, 0, 1, 2])
    value, grad = jax.value_and_grad(lambda f: data_to_data_cross_entropy(f, v, labels))(v[labels])
    np.testing.assert_allclose(value, np.mean(np.log1p([2, 2, 3, 3])), rtol=1e-6)
    np.testing.assert_array_equal(grad, 0)
    hard = data_to_data_cross_entropy(v[(labels + 1) % 3], v, labels)
    assert hard > value + 1


def test_data_to_data_cross_entropy_of_one_class_has_no_negatives():
    f = jnp.asarray([[1.0, 0.0], [0.6, 0.8]])
    value, grad = jax.value_and_grad(lambda f: data_to_data_cross_entropy(f, jnp.eye(2), jnp.array([0, 0])))(f)
    assert value == 0
    np.testing.assert_array_equal(grad, 0)
