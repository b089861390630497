"""Mixup and cutmix: labels follow pixels."""

import jax
import numpy as np
import pytest
from scipy import stats

from fergen.augment import mix as mixing
from fergen.augment.mix import _beta, mix

mixup = jax.jit(mixing.mixup, static_argnames=("alpha", "probability"))
cutmix = jax.jit(mixing.cutmix, static_argnames=("alpha", "probability"))

B, H, W, K = 64, 12, 16, 5


@pytest.fixture
def batch() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    # One level per image, so that the levels of a mixed image tell its shares.
    x = np.broadcast_to(rng.uniform(-1, 1, (B, 1, 1, 1)), (B, H, W, 1)).astype(np.float32)
    return x, rng.dirichlet(np.ones(K), B).astype(np.float32)


def test_mixup_blends_image_and_label_by_the_same_share(batch):
    x, labels = batch
    mixed, soft = jax.tree.map(np.asarray, mixup(jax.random.key(0), x, labels, alpha=1.0, probability=0.5))
    level, other = x[:, 0, 0, 0], np.roll(x[:, 0, 0, 0], 1)
    share = (mixed[:, 0, 0, 0] - other) / (level - other)
    assert np.ptp(mixed, axis=(1, 2, 3)).max() == 0
    np.testing.assert_allclose(soft, share[:, None] * labels + (1 - share)[:, None] * np.roll(labels, 1, 0), atol=1e-4)
    kept = (mixed == x).all((1, 2, 3))
    assert 0.3 < kept.mean() < 0.7
    np.testing.assert_array_equal(soft[kept], labels[kept])
    np.testing.assert_allclose(soft.sum(-1), 1, rtol=1e-5)


def test_cutmix_labels_count_the_pasted_pixels(batch):
    x, labels = batch
    mixed, soft = jax.tree.map(np.asarray, cutmix(jax.random.key(0), x, labels, alpha=1.0))
    pasted = mixed != x
    np.testing.assert_array_equal(mixed[pasted], np.roll(x, 1, 0)[pasted])
    share = 1 - pasted.mean((1, 2, 3))
    np.testing.assert_allclose(soft, share[:, None] * labels + (1 - share)[:, None] * np.roll(labels, 1, 0), atol=1e-5)
    box = pasted[..., 0].any(2).sum(1) * pasted[..., 0].any(1).sum(1)
    np.testing.assert_array_equal(box, pasted.sum((1, 2, 3)))
    assert 0.05 < (1 - share).mean() < 0.5


def test_both_alternate_by_batch(batch):
    x, labels = batch
    f = jax.jit(lambda key: mix(key, x, labels, mixup_alpha=1.0, cutmix_alpha=1.0))
    blended = [np.ptp(np.asarray(f(jax.random.key(seed))[0]), axis=(1, 2, 3)).max() == 0 for seed in range(16)]
    assert 2 < sum(blended) < 14


def test_probability_zero_returns_the_same_bits(batch):
    x, labels = batch
    for way in (mixup, cutmix):
        mixed, soft = way(jax.random.key(0), x, labels, alpha=0.4, probability=0.0)
        np.testing.assert_array_equal(mixed, x)
        np.testing.assert_array_equal(soft, labels)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_shares_are_beta_distributed(alpha):
    draws = np.asarray(_beta(jax.random.uniform(jax.random.key(0), (4000,)), alpha))
    assert stats.kstest(draws, stats.beta(alpha, alpha).cdf).pvalue > 0.01
