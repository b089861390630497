"""The accuracy family against scikit-learn, with weights and absent classes."""

import numpy as np
import pytest
from sklearn import metrics as sk

from fergen.metrics import classification as c

CLASSES = 5


@pytest.fixture(scope="module")
def sample():
    rng = np.random.default_rng(1)
    labels = rng.choice(CLASSES, size=400, p=[0.4, 0.3, 0.2, 0.1, 0.0])  # class 4 has no rows
    scores = rng.normal(size=(400, CLASSES)) + 1.5 * np.eye(CLASSES)[labels]
    return labels, np.round(scores, 1)  # rounded: plenty of ties


def test_confusion_counts_true_by_predicted(sample):
    labels, scores = sample
    expected = sk.confusion_matrix(labels, scores.argmax(1), labels=range(CLASSES))
    np.testing.assert_array_equal(c.confusion(labels, scores.argmax(1), CLASSES), expected)


def test_per_class_and_macro_equal_scikit_learn_over_present_classes(sample):
    labels, scores = sample
    predicted = scores.argmax(1)
    counts = c.confusion(labels, predicted, CLASSES)
    assert (predicted == 4).any()  # the absent class is predicted now and then
    options = {"labels": [0, 1, 2, 3], "zero_division": 0}
    precision, recall, f1, _ = sk.precision_recall_fscore_support(labels, predicted, **options)
    for ours, theirs in ((c.precision(counts), precision), (c.recall(counts), recall), (c.f1(counts), f1)):
        np.testing.assert_allclose(ours[:4], theirs, rtol=1e-12)
        assert np.isnan(ours[4])
        np.testing.assert_allclose(c.macro(ours), theirs.mean(), rtol=1e-12)
    np.testing.assert_allclose(c.accuracy(counts), sk.accuracy_score(labels, predicted))


def test_never_predicted_class_has_precision_zero():
    counts = c.confusion(np.array([0, 0, 1]), np.array([0, 0, 0]), 2)
    np.testing.assert_allclose(c.precision(counts), [2 / 3, 0])
    np.testing.assert_allclose(c.f1(counts), [0.8, 0])


def test_multiplicities_equal_repeated_rows(sample):
    labels, scores = sample
    rng = np.random.default_rng(2)
    times = rng.integers(0, 4, size=(3, len(labels)))
    for row, counts in zip(times, c.confusion(labels, scores.argmax(1), CLASSES, times.astype(float))):
        expected = c.confusion(np.repeat(labels, row), np.repeat(scores.argmax(1), row), CLASSES)
        np.testing.assert_array_equal(counts, expected)
    areas = c.auroc(scores[:, 1], labels == 1, times.astype(float))
    for row, area in zip(times, areas):
        expected = sk.roc_auc_score(np.repeat(labels == 1, row), np.repeat(scores[:, 1], row))
        np.testing.assert_allclose(area, expected, rtol=1e-12)


def test_auroc_without_ties_and_undefined():
    rng = np.random.default_rng(3)
    scores, positive = rng.normal(size=50), rng.random(50) < 0.3
    np.testing.assert_allclose(c.auroc(scores, positive)[0], sk.roc_auc_score(positive, scores))
    assert np.isnan(c.auroc(scores, np.zeros(50, bool))[0])
    assert np.isnan(c.auroc(scores, np.ones(50, bool))[0])


def test_top_k_equals_scikit_learn_without_ties():
    rng = np.random.default_rng(4)
    scores, labels = rng.normal(size=(60, 4)), rng.integers(4, size=60)
    for k in (1, 2, 3, 4):
        expected = sk.top_k_accuracy_score(labels, scores, k=k, labels=range(4)) if k < 4 else 1.0
        assert c.top_k(scores, labels, k).mean() == pytest.approx(expected)
    assert not c.top_k(np.zeros((1, 3)), np.array([0]), 2)[0]  # a constant network earns nothing by ties
