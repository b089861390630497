"""Guided search: it reaches what it is asked for, its regularisers hold it back, and rows are apart."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fergen.core.errors import BadInput
from fergen.latent import search

WIDTH, LAYERS, N = 6, 3, 4
RNG = np.random.default_rng(0)
PICTURES = jnp.asarray(RNG.normal(size=(LAYERS, WIDTH, 64)) / np.sqrt(WIDTH), jnp.float32)
SPREAD = jnp.asarray(np.diag([2.0, 1.0, 1.0, 0.5, 0.5, 0.25]), jnp.float32)
STYLES = jnp.asarray(RNG.normal(size=(500, WIDTH)), jnp.float32) @ SPREAD + 1.0
WHITE = search.whitening(STYLES)


def synthesise(ws):
    """Styles are drawn as sums of pictures, one for each entry of each layer."""
    return 0.3 * jnp.einsum("nlw,lwp->np", ws, PICTURES).reshape(-1, 8, 8, 1)


def guide(images):
    """Three classes by the brightness of a part of the picture each."""
    return 10 * jnp.stack(
        [images[:, :3].mean((1, 2, 3)), images[:, 3:5].mean((1, 2, 3)), images[:, 5:].mean((1, 2, 3))], 1
    )


def views(key, images):
    return images + 0.05 * jax.random.normal(key, images.shape)


def found(n=N, features=None, guides=(guide,), **settings):
    start = jnp.repeat(STYLES[:n, None], LAYERS, axis=1)
    targets = [jnp.arange(n) % 3 for _ in guides]
    return search.search(
        synthesise,
        guides,
        start=start,
        targets=targets,
        white=WHITE,
        views=views,
        features=features,
        settings=search.Settings(**{"steps": 60, "rate": 0.15, **settings}),
    )


def faces(points):
    return synthesise(points).clip(-1, 1)


def probabilities(points, targets, seen_by=guide):
    """What a guide gives to the target of each row."""
    return np.asarray(search.probability(seen_by(faces(points)), jnp.asarray(targets)))


def test_white_styles_have_unit_covariance():
    np.testing.assert_allclose(jnp.cov(WHITE(STYLES).T), np.eye(WIDTH), atol=1e-3)
    flat = search.whitening(STYLES.at[:, 5].set(2.0))
    assert np.isfinite(flat.matrix).all()


@pytest.mark.parametrize("space", ["w", "w+"])
def test_a_target_is_reached(space):
    made = found(space=space, realism=0.0, size=0.0)
    assert made.shape == (61, N, LAYERS, WIDTH)
    first, last = (probabilities(made[i], np.arange(N) % 3) for i in (0, -1))
    assert (last > first).all()
    assert last.min() > 0.8
    np.testing.assert_allclose(made[0], jnp.repeat(STYLES[:N, None], LAYERS, axis=1), atol=1e-6)
    assert (np.ptp(made[-1], axis=1).max() < 1e-5) == (space == "w")


def test_each_regulariser_holds_back_what_it_is_of():
    def features(images):
        return images.reshape(len(images), -1)

    free = found(realism=0.0, size=0.0, identity=0.0, features=features)
    short = found(realism=0.0, size=20.0, identity=0.0, features=features)
    same = found(realism=0.0, size=0.0, identity=50.0, features=features)
    real = found(realism=20.0, size=0.0, identity=0.0, features=features)

    def moved(points):
        return np.sqrt(np.square(WHITE(points[-1]) - WHITE(points[0])).mean((1, 2)))

    def identity(points):
        return search.distance(features(faces(points[-1])), features(faces(points[0])))

    assert moved(short).max() < 0.5 * moved(free).min()
    assert identity(same).mean() < 0.5 * identity(free).mean()
    assert np.square(WHITE(real[-1])).mean() < 0.5 * np.square(WHITE(free[-1])).mean()


def test_rows_are_apart_and_repeat():
    both, alone = found(4), found(2)
    np.testing.assert_allclose(both[-1, :2], alone[-1], atol=1e-4)
    np.testing.assert_array_equal(found(2), alone)


def test_several_guides_are_all_convinced():
    def other(images):
        return jnp.roll(guide(images), 1, axis=1)

    start = jnp.repeat(STYLES[:2, None], LAYERS, axis=1)
    made = search.search(
        synthesise, (guide, other), start=start, targets=[jnp.array([0, 1]), jnp.array([1, 2])], white=WHITE,
        views=views, settings=search.Settings(realism=0.0, size=0.0, steps=60, rate=0.15),
    )  # fmt: skip
    assert probabilities(made[-1], [0, 1]).min() > 0.8
    assert probabilities(made[-1], [1, 2], other).min() > 0.8


def test_latents_are_searched_for_too():
    """Points of one layer, of another width than styles: what makes images of them is the caller's."""

    def styles(points):
        return jnp.repeat(points[..., :WIDTH], LAYERS, axis=1)

    made = search.search(
        lambda points: synthesise(styles(points)), (guide,),
        start=jnp.asarray(RNG.normal(size=(2, 1, WIDTH + 2)), jnp.float32), targets=[jnp.array([0, 1])],
        white=search.Whitening(jnp.zeros(WIDTH + 2), jnp.eye(WIDTH + 2)), views=views,
        settings=search.Settings(space="z", realism=0.0, size=0.0, steps=60, rate=0.15),
    )  # fmt: skip
    assert made.shape == (61, 2, 1, WIDTH + 2)
    assert probabilities(styles(made[-1]), [0, 1]).min() > 0.8


def test_an_image_pulls():
    """With a strong pull and no other wish than the guide's, the face ends near the image that pulls."""
    wanted = synthesise(jnp.repeat(STYLES[10:14, None], LAYERS, axis=1))

    def pull(images):
        return jnp.square(images - wanted).mean((1, 2, 3))

    ends = []
    for weight in (0.0, 300.0):
        start = jnp.repeat(STYLES[:N, None], LAYERS, axis=1)
        made = search.search(
            synthesise, (guide,), start=start, targets=[jnp.arange(N) % 3], white=WHITE, views=views, pull=pull,
            settings=search.Settings(realism=0.0, size=0.0, steps=150, rate=0.15, pull=weight),
        )  # fmt: skip
        ends.append(float(pull(faces(made[-1])).mean()))
    assert ends[1] < 0.2 * ends[0]


def test_bad_settings():
    for settings in ({"space": "x"}, {"steps": 0}, {"views": 0}, {"guides": ()}):
        with pytest.raises(BadInput, match="expected a space of z, w, w"):
            found(**settings)
