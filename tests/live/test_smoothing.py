"""Smoothing against its closed form, whatever the frame rate; abstention on rows counted by hand."""

from dataclasses import replace

import numpy as np
import pytest

from fergen.core.errors import BadInput
from fergen.data import dataset, vocabulary
from fergen.live.abstention import UNCERTAIN, choose, named
from fergen.live.classifier import Classifier
from fergen.live.smoothing import Smoother
from fergen.metrics import selective
from tests.live import clips

SAD, GLAD = np.array([0.9, 0.1]), np.array([0.2, 0.8])


@pytest.mark.parametrize("times", [np.arange(1, 31) / 30, np.arange(1, 6) / 5, [0.1, 0.11, 0.5, 1.0]])
def test_a_step_is_followed_exponentially_at_any_frame_rate(times):
    smoother = Smoother(0.4)
    np.testing.assert_array_equal(smoother.update(1, 0.0, SAD), SAD)
    for time in times:
        now = smoother.update(1, float(time), GLAD)
        np.testing.assert_allclose(now, GLAD + (SAD - GLAD) * np.exp(-time / 0.4), atol=1e-12)
        assert now.sum() == pytest.approx(1)


def test_a_signal_held_between_samples_is_filtered_the_same_at_all_rates():
    """Steps every fifth of a second, seen at 5, 30 and 120 frames per second, end at the same value."""
    rows = np.random.default_rng(0).dirichlet(np.ones(7), 20)
    ends = []
    for each in (1, 6, 24):
        smoother = Smoother(0.3)
        smoother.update(1, 0.0, rows[0])
        for i, row in enumerate(rows[1:], 1):
            for part in range(1, each + 1):
                end = smoother.update(1, (i - 1 + part / each) / 5, row)
        ends.append(end)
    np.testing.assert_allclose(ends[1:], [ends[0]] * 2, atol=1e-12)


def test_faces_are_smoothed_apart_and_forgotten():
    smoother = Smoother(1.0)
    smoother.update(1, 0.0, SAD)
    np.testing.assert_array_equal(smoother.update(2, 0.1, GLAD), GLAD)
    smoother.keep([2])
    np.testing.assert_array_equal(smoother.update(1, 0.2, GLAD), GLAD)


def test_no_smoothing():
    smoother = Smoother(0)
    smoother.update(1, 0.0, SAD)
    np.testing.assert_array_equal(smoother.update(1, 0.01, GLAD), GLAD)


def test_one_wrong_frame_vetoes_nothing():
    smoother = Smoother(0.4)
    smoother.update(1, 0.0, np.array([0.95, 0.05]))
    after = smoother.update(1, 1 / 30, np.array([1e-9, 1 - 1e-9]))
    assert after.argmax() == 0
    assert after[0] == pytest.approx(0.95 * np.exp(-1 / 12), rel=1e-6)


def test_what_is_below_the_threshold_is_uncertain():
    classes = ("sad", "glad")
    assert named(np.array([0.3, 0.7]), classes, 0.7) == "glad"
    assert named(np.array([0.3, 0.7]), classes, 0.71) == UNCERTAIN
    assert named(np.array([0.9, 0.1]), classes, 0.71) == "sad"
    assert not any(UNCERTAIN in vocabulary.classes_of(name) for name in vocabulary.VOCABULARIES)


def test_a_classifier_s_threshold_is_chosen_on_validation():
    faces = dataset.load_or_prepare("procedural_n300", "validation")
    rng = np.random.default_rng(0)
    said = rng.dirichlet(np.ones(7) / 3, len(faces)).astype(np.float32)
    best = np.where(rng.random(len(faces)) < said.max(1), faces.labels, (faces.labels + 1) % 7)
    said[np.arange(len(faces)), said.argmax(1)], said[np.arange(len(faces)), best] = (
        said[np.arange(len(faces)), best], said.max(1),
    )  # fmt: skip
    shown = iter(np.split(said, range(256, len(said), 256)))
    own = Classifier("own", faces.spec.classes, (48, 48), 1, {}, lambda images: next(shown)[: len(images)])
    found = choose(own, "procedural_n300", 0.8)
    assert found == selective.choose(said, faces.labels, 0.8)
    assert 0 < found.threshold < 1
    own = replace(own, probabilities=lambda images: np.tile((0.6, *[0.4 / 6] * 6), (len(images), 1)))
    with pytest.raises(BadInput, match=f"no threshold reaches it on these {len(faces)} faces"):
        choose(own, "procedural_n300")
    with pytest.raises(BadInput, match="choose on a set with the classifier's classes"):
        choose(clips.brightness(), "procedural_n300")
    with pytest.raises(BadInput, match="prepare the set at that size"):
        choose(replace(own, size=(64, 64)), "procedural_n300")
