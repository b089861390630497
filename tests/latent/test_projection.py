"""Projection: the recorded search of the reference code, and what each part of the search is."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fergen.convert.stylegan2_names import ours
from fergen.core.errors import BadInput
from fergen.latent import projection
from fergen.models import stylegan2

STORED = np.load(Path(__file__).parent / "stylegan2_projector.npz")


def network(dtype):
    """The recorded network: styles and noise to images."""
    g = json.loads(str(STORED["meta"]))["G_kwargs"]
    nets = stylegan2.build(
        num_classes=0, image=(32, 32, 3), z_dim=g["z_dim"], w_dim=g["w_dim"], mapping_layers=2,
        channel_base=g["synthesis_kwargs"]["channel_base"], channel_max=g["synthesis_kwargs"]["channel_max"],
    )  # fmt: skip
    tree = ours({name[2:]: STORED[name] for name in STORED.files if name.startswith("G/")})
    tree = jax.tree.map(lambda x: jnp.asarray(x, dtype), tree)
    variables = {kind: part["synthesis"] for kind, part in tree.items()}
    return nets, lambda ws, noise: nets.synthesis.apply(variables, ws, noise), tree


def distance_to(target):
    """Squared differences of pixels in [0, 255] and of their means over 2x2 and 4x4, each weighed by its side."""

    def features(x):
        x = (x + 1) * 127.5
        n, h, w, c = x.shape
        parts = [x.reshape(n, h // k, k, w // k, k, c).mean((2, 4)).reshape(n, -1) * (k * 0.001) for k in (1, 2, 4)]
        return jnp.concatenate(parts, axis=1)

    return lambda images: jnp.square(features(images) - features(target)).sum(1)


def recorded_search(synthesise, layers):
    """The recorded search: where it starts, the jitter of each step, and a step, in double precision."""
    target = jnp.moveaxis(jnp.asarray(STORED["in/target"], jnp.float64), 0, -1)[None] / 127.5 - 1
    draws = [jnp.asarray(STORED[name], jnp.float64) for name in sorted(STORED.files) if name.startswith("draws/")]
    noise = [x[None, :, :, None] for x in draws[: len(layers.noise_sizes)]]

    @jax.jit
    def step(state, jitter):
        return projection.update(
            state,
            jitter,
            synthesise=synthesise,
            distance=distance_to(target),
            layers=layers.styles,
            spread=jnp.asarray(STORED["out/w_std"], jnp.float64),
            settings=projection.Settings(steps=40),
        )[0]

    state = projection.start(jnp.asarray(STORED["out/w_avg"], jnp.float64), noise)
    return state, draws[len(noise) :], step


def test_the_record_is_of_single_precision():
    """The reference's search in double precision keeps mean, spread and styles in single: no nearer is to be had."""
    for name in ("out/w_avg", "out/w_std", "out/w_steps"):
        stored = STORED[name]
        assert stored.dtype == np.float64
        np.testing.assert_array_equal(stored.astype(np.float32), stored)
    assert np.spacing(np.float32(np.abs(STORED["out/w_steps"]).max())) > 2e-7


def test_the_recorded_search():
    """Forty steps of the reference code, with its draws, from the first on in double precision."""
    with jax.enable_x64(True):
        nets, synthesise, _ = network(jnp.float64)
        state, jitters, step = recorded_search(synthesise, nets.synthesis.layout)
        for i, jitter in enumerate(jitters):
            state = step(state, jitter)
            np.testing.assert_allclose(state.w[0, 0], STORED["out/w_steps"][i], atol=5e-7, rtol=0, err_msg=str(i))
        assert i == 39


def test_each_recorded_step():
    """From the style that the reference was at, each step ends where it did, but for its rounding to single precision.

    So the whole search drifts by that rounding alone. What is left, 1.3e-8, is of its moments, in single precision too.
    """
    with jax.enable_x64(True):
        nets, synthesise, _ = network(jnp.float64)
        state, jitters, step = recorded_search(synthesise, nets.synthesis.layout)
        same = []
        for i, jitter in enumerate(jitters):
            state = step(state, jitter)
            found, wanted = np.asarray(state.w[0, 0]), STORED["out/w_steps"][i]
            rounding = np.spacing(np.abs(wanted).astype(np.float32)).astype(np.float64) / 2
            assert (np.abs(found - wanted) - rounding).max() < 1.5e-8, i
            same.append(found.astype(np.float32) == wanted)
            state = state._replace(w=jnp.asarray(wanted)[None, None])
        assert np.mean(same) > 0.9


def test_statistics_of_styles():
    """The recorded mean and spread, of the styles of 200 latents from numpy's generator with seed 123."""
    nets, _, tree = network(jnp.float32)
    z = jnp.asarray(np.random.RandomState(123).randn(200, 16), jnp.float32)  # noqa: NPY002
    params = {"params": tree["params"]["mapping"]}
    mean, spread = projection.style_statistics(nets.mapping.apply(params, z, jnp.zeros((200, 0))))
    np.testing.assert_allclose(mean, STORED["out/w_avg"].reshape(-1), atol=1e-5)
    np.testing.assert_allclose(spread, STORED["out/w_std"], rtol=1e-5)


def test_noise_is_kept_white():
    rng = np.random.default_rng(0)
    white = jnp.asarray(rng.normal(size=(2, 16, 16, 1)), jnp.float32)
    smooth = (white + jnp.roll(white, 1, 1) + jnp.roll(white, 1, 2)) / np.sqrt(3)
    assert (projection.noise_penalty([smooth]) > 10 * projection.noise_penalty([white])).all()
    small = jnp.ones((1, 4, 4, 1))
    np.testing.assert_allclose(projection.noise_penalty([small]), 2.0)  # no halves below 8 pixels
    np.testing.assert_allclose(projection.noise_penalty([jnp.ones((1, 16, 16, 1))]), 4.0)
    made = projection.whitened(3 * white + 5)
    np.testing.assert_allclose(made.mean((1, 2, 3)), 0, atol=1e-6)
    np.testing.assert_allclose(jnp.square(made).mean((1, 2, 3)), 1, rtol=1e-5)


@pytest.mark.parametrize("space", projection.SPACES)
def test_images_of_the_network_are_found_again(space):
    """Two at once, each as if it were alone; what comes out is nearer than the mean face is."""
    nets, synthesise, tree = network(jnp.float32)
    z = jax.random.normal(jax.random.key(1), (2, 16))
    w = nets.mapping.apply({"params": tree["params"]["mapping"]}, z, jnp.zeros((2, 0)))
    sizes, layers = nets.synthesis.layout.noise_sizes, nets.synthesis.layout.styles
    blank = [jnp.zeros((2, size, size, 1)) for size in sizes]
    targets = synthesise(jnp.repeat(w[:, None], layers, axis=1), blank)
    mean = np.asarray(STORED["out/w_avg"], np.float32).reshape(1, -1)
    settings = projection.Settings(space=space, steps=60)

    def found(targets):
        return projection.project(
            synthesise,
            distance_to(targets),
            centre=np.repeat(mean, len(targets), axis=0),
            spread=float(STORED["out/w_std"]),
            layers=layers,
            noise_sizes=sizes,
            settings=settings,
        )

    both = found(targets)
    assert both.ws.shape == (2, layers, 16)
    assert both.images.shape == (2, 32, 32, 3)
    if space == "w":
        assert np.ptp(both.ws, axis=1).max() == 0
    begin = distance_to(targets)(synthesise(jnp.repeat(jnp.asarray(mean)[:, None], layers, 1).repeat(2, 0), blank))
    assert (both.distances < 0.5 * begin).all()
    np.testing.assert_allclose(found(targets[:1]).ws[0], both.ws[0], atol=0.05)


def test_bad_settings():
    for settings in (projection.Settings(space="z"), projection.Settings(steps=0)):
        with pytest.raises(BadInput, match="expected a space of w, w"):
            projection.project(
                len, len, centre=np.zeros((1, 2)), spread=1.0, layers=1, noise_sizes=(4,), settings=settings
            )
