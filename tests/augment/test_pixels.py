"""Light, noise and erasing: what is changed, by how much, and what is left alone."""

import jax
import numpy as np
import pytest

from fergen.augment import colour, erase

random_colour = jax.jit(colour.random_colour, static_argnames=("brightness", "contrast", "gamma", "saturation"))
random_noise = jax.jit(colour.random_noise, static_argnames="deviation")
random_erase = jax.jit(erase.random_erase, static_argnames=("probability", "area", "aspect", "fill"))

B, H, W = 400, 10, 14


@pytest.fixture
def key() -> jax.Array:
    return jax.random.key(0)


def pictures(c: int = 1, low: float = -0.4, high: float = 0.4) -> np.ndarray:
    return np.random.default_rng(0).uniform(low, high, (B, H, W, c)).astype(np.float32)


def test_brightness_shifts_every_pixel_of_an_image_alike(key):
    x = pictures()
    shift = np.asarray(random_colour(key, x, brightness=0.25)) - x
    np.testing.assert_allclose(np.ptp(shift, axis=(1, 2, 3)), 0, atol=1e-6)
    levels = shift.mean((1, 2, 3))
    assert np.abs(levels).max() <= 0.5 + 1e-6
    assert abs(levels.std() - 0.5 / np.sqrt(3)) < 0.03


def test_contrast_keeps_the_mean_and_scales_the_spread(key):
    x = pictures()
    y = np.asarray(random_colour(key, x, contrast=0.5))
    np.testing.assert_allclose(y.mean((1, 2, 3)), x.mean((1, 2, 3)), atol=1e-6)
    factor = y.std((1, 2, 3)) / x.std((1, 2, 3))
    assert 0.499 < factor.min() < 0.55
    assert 1.45 < factor.max() < 1.501


def test_gamma_is_one_exponent_per_image_and_fixes_black_and_white(key):
    x = pictures()
    x[:, 0, 0], x[:, 0, 1] = -1, 1
    y = np.asarray(random_colour(key, x, gamma=1.0))
    np.testing.assert_array_equal(y[:, 0, :2, 0], np.tile([-1, 1], (B, 1)))
    exponent = np.log((y[:, 1:] + 1) / 2) / np.log((x[:, 1:] + 1) / 2)
    assert np.ptp(exponent, axis=(1, 2, 3)).max() < 1e-3
    assert 0.499 < exponent.min() < 0.55
    assert 1.8 < exponent.max() < 2.001


def test_saturation_moves_along_the_line_to_gray_and_spares_gray_images(key):
    x = pictures(3, -0.25, 0.25)
    y = np.asarray(random_colour(key, x, saturation=1.0))
    gray = (x * [0.299, 0.587, 0.114]).sum(-1, keepdims=True)
    before, after = x - gray, y - gray
    factor = (before * after).sum((1, 2, 3), keepdims=True) / (before**2).sum((1, 2, 3), keepdims=True)
    np.testing.assert_allclose(after, factor * before, atol=1e-5)
    assert 0 < factor.min() < 0.1
    assert 1.9 < factor.max() < 2
    for flat in (pictures(1), np.repeat(pictures(1), 3, -1)):
        np.testing.assert_allclose(random_colour(key, flat, saturation=1.0), flat, atol=1e-6)


def test_results_stay_in_range(key):
    x = pictures(3, -1, 1)
    y = random_colour(key, x, brightness=1.0, contrast=1.0, gamma=3.0, saturation=1.0)
    assert float(abs(y).max()) <= 1.0
    assert float(abs(random_noise(key, x, deviation=0.5)).max()) <= 1.0


def test_noise_has_a_strength_per_image(key):
    spread = np.asarray(random_noise(key, np.zeros((B, H, W, 1), np.float32), deviation=0.05)).std((1, 2, 3))
    assert spread.max() < 0.13
    assert abs(spread.mean() - 0.05) < 0.01


def test_erasing_covers_one_rectangle_of_the_drawn_area(key):
    x = np.random.default_rng(0).uniform(-0.9, 0.9, (B, 40, 40, 2)).astype(np.float32)
    y = np.asarray(random_erase(key, x, probability=0.5, area=(0.1, 0.3), aspect=0.5, fill=-1.0))
    covered = (y == -1).all(-1)
    np.testing.assert_array_equal(y[~covered], x[~covered])
    erased = covered.any((1, 2))
    assert abs(erased.mean() - 0.5) < 0.1
    share = covered[erased].mean((1, 2))
    assert share.min() > 0.08
    assert share.max() < 0.34
    rows, columns = covered[erased].any(2).sum(1), covered[erased].any(1).sum(1)
    np.testing.assert_array_equal(rows * columns, covered[erased].sum((1, 2)))
    assert 0.4 < (rows / columns).min() < 0.7
    assert 1.4 < (rows / columns).max() < 2.5


def test_erasing_draws_a_level_per_channel(key):
    y = np.asarray(random_erase(key, np.full((B, 8, 8, 3), 2.0, np.float32), probability=1.0, area=(0.3, 0.3)))
    covered = (y != 2).all(-1)
    assert covered.any((1, 2)).all()
    level = y[0][covered[0]]
    assert np.ptp(level, axis=0).max() == 0
    assert np.ptp(level[0]) > 0
    assert np.abs(level).max() <= 1
