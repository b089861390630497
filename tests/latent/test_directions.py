"""Directions of expressions: found where they are known, and ways along them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fergen.latent import directions, search

WIDTH, LAYERS = 6, 2
RNG = np.random.default_rng(0)
# Styles that spread unevenly, and images that show one combination of their entries as light.
MIX = RNG.normal(size=(WIDTH, WIDTH)) / 3 + np.eye(WIDTH)
STYLES = jnp.asarray(RNG.normal(size=(3000, WIDTH)) @ MIX + 0.5, jnp.float32)
WHITE = search.whitening(STYLES)
SHOWN = jnp.asarray(RNG.normal(size=WIDTH), jnp.float32) / 20
# Along a in white coordinates the light s . w changes by s . (a B): the steepest way is B s.
TRUE = np.asarray(WHITE.back() @ SHOWN) / np.linalg.norm(WHITE.back() @ SHOWN)


def synthesise(ws):
    return jnp.broadcast_to((ws.mean(1) @ SHOWN)[:, None, None, None], (len(ws), 4, 4, 1))


def guide(images):
    """Two of three classes differ by the light."""
    light = images.mean((1, 2, 3))
    return jnp.stack([-5 * light, 5 * light, jnp.full_like(light, -9.0)], axis=1)


def layered(styles):
    return jnp.repeat(styles[:, None], LAYERS, axis=1)


def test_log_odds_are_those_of_the_softmax():
    logits = jnp.asarray(RNG.normal(size=(5, 4)), jnp.float32)
    p = jax.nn.softmax(logits)[:, 2]
    np.testing.assert_allclose(directions.log_odds(logits, 2), jnp.log(p / (1 - p)), rtol=1e-4)


@pytest.mark.parametrize(("target", "sign"), [(1, 1), (0, -1)])
def test_both_ways_find_the_direction(target, sign):
    odds = directions.scores(synthesise, lambda x: directions.log_odds(guide(x), target), layered(STYLES))
    fitted = directions.by_regression(STYLES, odds, WHITE)
    followed = directions.by_gradient(synthesise, guide, target, layered(STYLES[:100]), WHITE)
    for found in (fitted, followed):
        assert np.linalg.norm(found.vector) == pytest.approx(1, rel=1e-5)
        assert found.vector @ TRUE * sign > 0.99
    assert fitted.strength > 0.98
    assert followed.strength > 0.99


def test_a_fit_of_noise_explains_nothing():
    found = directions.by_regression(STYLES, RNG.normal(size=len(STYLES)), WHITE)
    assert found.strength < 0.05


def test_ways_go_by_standard_deviations():
    start = layered(STYLES[:3])
    way = directions.along(start, TRUE, np.array([0.0, 1.0, 2.0]), WHITE)
    assert way.shape == (3, 3, LAYERS, WIDTH)
    np.testing.assert_allclose(way[0], start, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(WHITE(way[2]) - WHITE(way[0]), axis=-1), 2, rtol=1e-3)
    light = [synthesise(points).mean() for points in way]
    assert light[0] < light[1] < light[2]
