"""Copies are found and strangers are not: distances to training faces, and membership inference."""

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from fergen.evals import closeness, membership


def vectors(n, seed):
    return np.random.default_rng(seed).normal(size=(n, 4))


def test_strangers_have_what_strangers_have():
    scores, distance, index = closeness.compare(vectors(4000, 0), vectors(3000, 1), vectors(2000, 2), k=3)
    assert scores["under the 1 % quantile, %"] == pytest.approx(1.0, abs=0.5)
    assert scores["nearer to training, %"] == pytest.approx(50.0, abs=3.0)
    assert scores["median distance"] == pytest.approx(scores["of real held-out faces"], rel=0.05)
    assert distance.shape == index.shape == (4000, 3)
    assert (np.diff(distance, axis=1) >= 0).all()


def test_copies_are_found():
    train = vectors(2000, 1)
    made = np.concatenate([vectors(300, 0), train[:100] + 1e-6])
    scores, distance, index = closeness.compare(made, train, vectors(2000, 2))
    assert scores["under the 1 % quantile, %"] == pytest.approx(100 * (100 + 3) / 400, abs=2)
    assert scores["nearer to training, %"] > 58
    assert np.array_equal(index[300:, 0], np.arange(100))
    assert distance[300:, 0].max() < 1e-5


def test_the_area_is_scikit_learns_and_its_interval_holds_it():
    rng = np.random.default_rng(0)
    members, others = rng.normal(0.5, 1, 300), rng.normal(0, 1, 200)
    found = membership.infer(members, others)
    expected = roc_auc_score(np.repeat([1, 0], [300, 200]), np.concatenate([members, others]))
    assert found["auc"] == pytest.approx(expected)
    assert found["auc.low"] < expected < found["auc.high"]
    assert membership.infer(members, others, resamples=10)["members"] == 300


def test_evidence_is_what_each_kind_of_network_is_asked():
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 1), np.uint8)
    labels = np.array([0, 1, 2, 1, 0])
    weights = jnp.asarray(np.random.default_rng(1).normal(size=(16, 3)), jnp.float32)

    def flat(images):
        return jnp.asarray(images, jnp.float32).reshape(len(images), -1) / 127.5 - 1

    classifier = {"logits": lambda w, x: flat(x) @ w}
    logits = np.asarray(flat(images) @ weights)
    loss = np.log(np.exp(logits).sum(1)) - logits[np.arange(5), labels]
    np.testing.assert_allclose(membership.evidence(classifier, weights, images, labels, batch=2), -loss, rtol=1e-4)

    critic = {"critic": lambda w, x, y: flat(x)[:, 0] + y}
    found = membership.evidence(critic, weights, images, labels, batch=3)
    np.testing.assert_allclose(found, np.asarray(flat(images))[:, 0] + labels, rtol=1e-5)

    black = {"reconstruct": lambda w, x, y: -jnp.ones(x.shape)}
    expected = -((np.asarray(flat(images)) + 1) ** 2).mean(1)
    np.testing.assert_allclose(membership.evidence(black, weights, images, labels), expected, rtol=1e-5)
    assert [membership.kind(each) for each in (classifier, critic, black, {})] == [
        "loss",
        "critic",
        "reconstruction",
        None,
    ]
