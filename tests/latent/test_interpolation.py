"""Spherical interpolation: on the circle, at even angles, and defined where there is no one circle."""

import numpy as np
import pytest

from fergen.latent.interpolation import spherical


def test_unit_vectors_turn_at_even_angles_and_stay_on_the_sphere():
    rng = np.random.default_rng(0)
    a, b = (v / np.linalg.norm(v) for v in rng.normal(size=(2, 3, 5)))
    way = spherical(a, b, 9)
    assert way.shape == (9, 3, 5)
    assert way.dtype == np.float32
    np.testing.assert_allclose(way[0], a, atol=1e-6)
    np.testing.assert_allclose(way[-1], b, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(way.reshape(9, -1), axis=1), 1, atol=1e-6)
    steps = [np.arccos(np.vdot(x, y)) for x, y in zip(way, way[1:], strict=False)]
    np.testing.assert_allclose(steps, np.arccos(np.vdot(a, b)) / 8, atol=1e-3)


def test_a_quarter_turn_in_closed_form():
    way = spherical(np.array([2.0, 0]), np.array([0, 2.0]), 4)
    angle = np.arange(4) * np.pi / 6
    np.testing.assert_allclose(way, 2 * np.stack([np.cos(angle), np.sin(angle)], 1), atol=1e-6)


@pytest.mark.parametrize("factor", [1.0, -1.0, 3.0, 0.0])
def test_parallel_and_opposite_latents_give_numbers(factor):
    a = np.array([1.0, 2.0, -1.0])
    way = spherical(a, factor * a, 5)
    assert np.isfinite(way).all()
    np.testing.assert_allclose(way[[0, -1]], [a, factor * a], atol=1e-5)
