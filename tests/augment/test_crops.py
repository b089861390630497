"""Views for test-time augmentation against slices."""

import argparse

import numpy as np
import pytest

from fergen.augment.crops import KINDS, five_crop, views
from fergen.commands import eval as command
from fergen.core.errors import BadInput


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (2, 12, 12, 3)).astype(np.float32)


def test_counts_and_sizes(x):
    sizes = {kind: views(x, kind, 1 / 4).shape for kind in KINDS}
    assert sizes == {
        "single": (1, 2, 12, 12, 3),
        "flip": (2, 2, 12, 12, 3),
        "five_crop": (5, 2, 9, 9, 3),
        "ten_crop": (10, 2, 9, 9, 3),
        "ten_shift": (10, 2, 12, 12, 3),
    }
    assert views(np.zeros((1, 48, 48, 1), np.float32), "ten_crop").shape == (10, 1, 44, 44, 1)


def test_order_and_mirror_images(x):
    ten = np.asarray(views(x, "ten_crop", 1 / 6))
    for view, (y, left) in enumerate([(0, 0), (0, 2), (2, 0), (2, 2), (1, 1)]):
        np.testing.assert_array_equal(ten[view], x[:, y : y + 10, left : left + 10])
        np.testing.assert_array_equal(ten[view + 5], ten[view][:, :, ::-1])
    np.testing.assert_array_equal(views(x, "flip")[1], x[:, :, ::-1])


def test_shifts_keep_scale_and_repeat_the_edge(x):
    ten = np.asarray(views(x, "ten_shift", 1 / 6))
    np.testing.assert_array_equal(ten[4], x)
    np.testing.assert_array_equal(ten[0][:, 1:, 1:], x[:, :-1, :-1])
    np.testing.assert_array_equal(ten[0][:, 0, 1:], x[:, 0, :-1])
    np.testing.assert_array_equal(ten[3][:, :-1, :-1], x[:, 1:, 1:])


def test_five_crop_of_the_whole_is_the_image(x):
    for crop in five_crop(x, (12, 12)):
        np.testing.assert_array_equal(crop, x)


def test_the_command_offers_every_kind():
    parser = argparse.ArgumentParser()
    command.configure(parser)
    assert [parser.parse_args([f"--tta={kind}"]).tta for kind in KINDS[1:]] == list(KINDS[1:])


def test_bad_kind_and_margin(x):
    with pytest.raises(BadInput, match="views: expected one of single, flip"):
        views(x, "tencrop")
    with pytest.raises(BadInput, match="cuts 0 of 12 rows"):
        views(x, "ten_crop", 0.01)
