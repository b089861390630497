"""Suspicious labels: which class is believed in place of one, and what nobody knows."""

import numpy as np

from fergen.studies import label_quality


def test_a_suspect_is_believed_to_be_another_class():
    """By its class's mean the second class is the likelier one, though the label's own has the greatest probability."""
    probabilities = np.array([[0.6, 0.4], [0.9, 0.1], [0.8, 0.2], [0.7, 0.3]], np.float32)
    label = np.array([0, 0, 0, 1])
    margin, other = label_quality.suspicion(probabilities, label)
    assert other.tolist() == [1, 1, 1, 0]
    means = [np.mean([0.6, 0.9, 0.8]), 0.3]
    np.testing.assert_allclose(margin[0], (0.4 - means[1]) - (0.6 - means[0]), rtol=1e-5)
    assert margin.argmax() == 0


def test_lift_is_over_the_share_of_all_that_is_wrong():
    margin, label = np.arange(200)[::-1].astype(float), np.zeros(200, int)
    truth = np.where(np.arange(200) < 20, 1, 0)
    (first, *_) = label_quality.lift(margin, label, truth)
    assert (first["rows"], first["wrong"], first["base rate"], first["lift"]) == (2, 1.0, 0.1, 10.0)


def test_where_nothing_is_known_to_be_wrong_there_is_no_lift():
    margin, label = np.arange(9.0), np.zeros(9, int)
    assert label_quality.lift(margin, label, np.full(9, -1)) == []
    assert label_quality.lift(margin, label, label) == []
