"""Restrictions by hand-made splits: twins, FER+, five classes, temperature."""

import numpy as np
import pytest

from fergen.core.errors import BadInput
from fergen.data.vocabulary import VOCABULARIES
from fergen.evals import classification as c
from fergen.metrics import calibration
from tests.evals.handmade import SEVEN, logits_for, make_split

ANGRY, DISGUST, FEAR, HAPPY, SAD, SURPRISE, NEUTRAL = range(7)


def test_names_intervals_and_counts():
    split = make_split([HAPPY] * 30 + [SAD] * 10)
    scores = c.evaluate(logits_for([HAPPY] * 30 + [SAD] * 5 + [FEAR] * 5), split, bootstrap=200)
    assert scores["n"] == 40
    assert scores["n/happy"] == 30
    assert scores["accuracy"] == 35 / 40
    assert scores["accuracy.low"] < scores["accuracy"] < scores["accuracy.high"]
    assert scores["accuracy/happy"] == scores["recall/happy"] == 1
    assert scores["accuracy/sad"] == 0.5
    assert scores["precision/sad"] == 1
    assert scores["macro_recall"] == 0.75
    assert np.isnan(scores["accuracy/fear"])
    assert np.isnan(scores["accuracy/fear.low"])
    assert scores["temperature"] == 1
    assert not any(name.startswith(("no_twins/", "ferplus/")) for name in scores)


def test_no_twins_leaves_twins_out():
    split = make_split([HAPPY, HAPPY, SAD, SAD], twin=np.array([True, False, False, False]))
    scores = c.evaluate(logits_for([HAPPY, SAD, SAD, SAD]), split, bootstrap=0)
    assert scores["accuracy"] == 0.75
    assert scores["no_twins/n"] == 3
    assert scores["no_twins/accuracy"] == pytest.approx(2 / 3)
    assert scores["no_twins/accuracy/happy"] == 0


def test_no_twins_of_a_split_without_twins_is_the_whole():
    split = make_split([HAPPY, SAD], twin=np.zeros(2, bool))
    scores = c.evaluate(logits_for([HAPPY, FEAR]), split, bootstrap=20)
    assert scores["no_twins/accuracy"] == scores["accuracy"]
    assert scores["no_twins/accuracy.low"] == scores["accuracy.low"]


def test_ferplus_replaces_labels_where_there_is_a_majority():
    split = make_split([HAPPY, HAPPY, SAD, SAD], ferplus=np.array([SAD, HAPPY, -1, SAD]))
    scores = c.evaluate(logits_for([SAD, HAPPY, FEAR, FEAR]), split, bootstrap=0)
    assert scores["accuracy"] == 0.25
    assert scores["ferplus/n"] == 3
    assert scores["ferplus/accuracy"] == pytest.approx(2 / 3)


def test_five_limits_rows_and_argmax():
    labels = [DISGUST, FEAR, ANGRY, HAPPY]
    logits = np.array(logits_for([DISGUST, FEAR, DISGUST, HAPPY]))
    logits[2, ANGRY] = 1.0  # second after disgust, which is no answer among the five
    scores = c.evaluate(logits, make_split(labels), bootstrap=0)
    assert scores["accuracy"] == 0.75
    assert scores["five/n"] == 2
    assert scores["five/accuracy"] == 1
    assert "five/accuracy/angry" in scores
    assert "five/accuracy/fear" not in scores
    five = np.exp(1.0) / (np.exp(1.0) + 4)
    expected = (-np.log(five) - np.log(np.exp(3.0) / (np.exp(3.0) + 4))) / 2
    assert scores["five/nll"] == pytest.approx(expected)


def test_a_set_of_the_five_classes_has_no_five_part():
    split = make_split([0, 1], classes=VOCABULARIES["five"])
    assert not any(name.startswith("five/") for name in c.evaluate(logits_for([0, 1], 5), split, bootstrap=0))


def test_align_maps_columns_by_name():
    logits = np.arange(7.0)[None]
    np.testing.assert_array_equal(c.align(logits, SEVEN, VOCABULARIES["five"])[0], [0, 3, 4, 5, 6])
    with pytest.raises(BadInput, match="contempt"):
        c.align(logits, SEVEN, VOCABULARIES["eight"])


def test_temperature_changes_probabilities_alone():
    rng = np.random.default_rng(0)
    labels = rng.integers(7, size=300)
    logits = 6 * (rng.normal(size=(300, 7)) + np.eye(7)[labels])
    plain = c.evaluate(logits, make_split(labels), bootstrap=0)
    fitted = calibration.fit_temperature(logits, labels)
    scaled = c.evaluate(logits, make_split(labels), temperature=fitted, bootstrap=0)
    assert plain["accuracy"] == scaled["accuracy"]
    assert scaled["nll"] < plain["nll"]
    assert scaled["ece"] < plain["ece"] == scaled["ece_uncalibrated"]
    assert scaled["temperature"] == fitted


def test_prefix_and_empty_part():
    split = make_split([HAPPY, SAD], twin=np.ones(2, bool))
    scores = c.evaluate(logits_for([HAPPY, SAD]), split, bootstrap=0, prefix="tta/")
    assert scores["tta/accuracy"] == 1
    assert scores["tta/no_twins/n"] == 0
    assert "tta/no_twins/accuracy" not in scores


def test_arrays_behind_pictures():
    split = make_split([HAPPY, HAPPY, SAD])
    arrays = c.arrays(logits_for([HAPPY, SAD, SAD]), split, temperature=2.0)
    assert arrays["confusion"][HAPPY].tolist() == [0, 0, 0, 1, 1, 0, 0]
    assert arrays["reliability"].count.sum() == 3
    np.testing.assert_allclose(arrays["probabilities"].sum(1), 1, rtol=1e-6)
