"""Cross-entropy against numpy closed forms and optax."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from fergen.losses.classification import balanced_weights, cross_entropy, smooth, weighted_mean

B, K = 6, 4


@pytest.fixture
def logits() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 3, (B, K)).astype(np.float32)


@pytest.fixture
def soft() -> np.ndarray:
    return np.random.default_rng(1).dirichlet(np.ones(K), B).astype(np.float32)


def test_hard_and_soft_labels_agree_with_optax(logits, soft):
    hard = np.array([0, 3, 1, 2, 2, 0])
    np.testing.assert_allclose(
        cross_entropy(logits, hard), optax.softmax_cross_entropy_with_integer_labels(logits, hard), rtol=1e-5
    )
    np.testing.assert_allclose(cross_entropy(logits, soft), optax.softmax_cross_entropy(logits, soft), rtol=1e-5)


def test_uniform_logits_cost_log_k(soft):
    np.testing.assert_allclose(cross_entropy(np.zeros((B, K), np.float32), soft), np.log(K), rtol=1e-6)


def test_smoothing_and_class_weights_follow_the_formula(logits, soft):
    weights = np.array([0.5, 2.0, 1.0, 0.0], np.float32)
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    mixed = 0.9 * soft + 0.1 / K
    want = -(weights * mixed * log_p).sum(-1)
    np.testing.assert_allclose(cross_entropy(logits, soft, smoothing=0.1, class_weights=weights), want, rtol=1e-5)
    np.testing.assert_allclose(smooth(soft, 0.1), optax.smooth_labels(soft, 0.1), rtol=1e-6)


def test_huge_and_infinite_logits_stay_finite():
    logits = jnp.array([[1e4, 0.0, -1e4], [0.0, -jnp.inf, 0.0]])
    labels = jnp.array([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    loss, gradient = jax.value_and_grad(lambda x: cross_entropy(x, labels).sum())(logits)
    np.testing.assert_allclose(loss, np.log(2), rtol=1e-6)
    assert np.isfinite(gradient).all()


def test_bfloat16_logits_are_summed_in_float32(logits, soft):
    rounded = jnp.asarray(logits, jnp.bfloat16)
    got = cross_entropy(rounded, soft)
    assert got.dtype == jnp.float32
    np.testing.assert_allclose(got, cross_entropy(rounded.astype(jnp.float32), soft), rtol=1e-6)


def test_padding_never_counts_and_weights_do():
    losses = np.array([1.0, 2.0, np.nan, 4.0], np.float32)
    mask = np.array([1.0, 1.0, 0.0, 1.0], np.float32)
    weight = np.array([1.0, 0.5, 7.0, 2.0], np.float32)
    np.testing.assert_allclose(weighted_mean(losses, mask=mask), 7 / 3, rtol=1e-6)
    np.testing.assert_allclose(weighted_mean(losses, mask=mask, weight=weight), (1 + 1 + 8) / 3, rtol=1e-6)
    assert float(weighted_mean(losses, mask=np.zeros(4, np.float32))) == 0.0
    gradient = jax.grad(lambda x: weighted_mean(x, mask=mask))(losses)
    np.testing.assert_allclose(gradient, mask / 3, rtol=1e-6)


def test_balanced_weights_give_all_classes_the_same_total():
    counts = np.array([436, 7215, 0, 4965])
    weights = np.asarray(balanced_weights(counts))
    totals = counts * weights
    np.testing.assert_allclose(totals[[0, 1, 3]], counts.sum() / 3, rtol=1e-5)
    assert totals[2] == 0
    np.testing.assert_allclose(balanced_weights(counts[[0, 1, 3]], power=0.0), 1.0, rtol=1e-6)
