"""The controller of p against a recorded run of the reference code; settings and their errors."""

import functools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fergen.augment import ada, ada_control
from fergen.augment.ada_control import Control, adapt, observe, start, update_p
from fergen.augment.ada_settings import PRESETS, Settings, read
from fergen.core.errors import BadInput


def test_p_follows_a_recorded_run():
    with np.load(Path(__file__).parent / "stylegan2_augment.npz") as stored:
        signs, recorded = stored["control/signs"], stored["control/p"]
    control = Control(p=0.3, kimg=0.4)

    @jax.jit
    def step(scalars, number, main, lazy, weight):
        scalars = observe(scalars, main)
        scalars = observe(scalars, lazy, weight)
        return adapt(scalars, number, 8, control)

    scalars = start(control) | {"pl_mean": jnp.float32(7)}
    found = []
    for number, row in enumerate(signs):
        lazy = ~np.isnan(row[8:])
        # Logits of any size with the recorded signs; a pass that was left out weighs nothing whatever it holds.
        logits = np.where(lazy, row[8:], 1.0) * 3.5
        scalars = step(scalars, number, row[:8] * 0.1, logits, float(lazy.all()))
        found.append(float(scalars["ada_p"]))
    assert len(set(recorded.tolist())) > 4
    np.testing.assert_allclose(found, recorded, atol=2e-7)
    assert scalars["pl_mean"] == 7


def test_signs_are_averaged_over_an_interval_and_then_forgotten():
    control = Control(p=0.5, interval=2)
    scalars = observe(start(control), jnp.array([[1.0, -2.0], [3.0, 0.0]]))
    assert float(ada_control.mean_sign(scalars)) == 0.25
    waiting = adapt(scalars, jnp.int32(2), 4, control)
    assert {name: float(value) for name, value in waiting.items()} == {
        "ada_p": 0.5,
        "ada_sign_sum": 1.0,
        "ada_sign_count": 4.0,
    }
    changed = adapt(waiting, jnp.int32(3), 4, control)
    assert float(changed["ada_p"]) < 0.5
    assert float(changed["ada_sign_count"]) == 0
    # Nothing counted, nothing changed.
    assert float(adapt(changed, jnp.int32(5), 4, control)["ada_p"]) == float(changed["ada_p"])


def test_p_crosses_from_0_to_1_in_kimg_thousand_images_and_stays_within_bounds():
    move = jax.jit(functools.partial(update_p, batch=50, kimg=10))
    p = jnp.float32(0)
    for _ in range(25):
        p = move(p, 0.9)
    np.testing.assert_allclose(p, 0.5, rtol=1e-5)
    assert float(update_p(0.001, -1.0, 64)) == pytest.approx(0.001 - 64 * 4 / 500_000, rel=1e-5)
    assert float(update_p(0.0, -1.0, 64)) == 0
    assert float(update_p(0.3, 0.6, 64)) == pytest.approx(0.3)
    assert float(update_p(0.8, 1.0, 64, cap=0.8)) == pytest.approx(0.8)


def test_a_fixed_p_stays():
    control = Control(p=0.12, adaptive=False)
    scalars = observe(start(control), jnp.ones(8))
    assert float(adapt(scalars, jnp.int32(3), 8, control)["ada_p"]) == pytest.approx(0.12)


def test_presets_are_those_of_the_reference_code():
    blit, geom = ("xflip", "rotate90", "xint"), ("scale", "rotate", "aniso", "xfrac")
    color = ("brightness", "contrast", "lumaflip", "hue", "saturation")
    want = {
        "none": (),
        "blit": blit,
        "geom": geom,
        "color": color,
        "filter": ("imgfilter",),
        "noise": ("noise",),
        "cutout": ("cutout",),
        "bg": blit + geom,
        "bgc": blit + geom + color,
        "bgcf": (*blit, *geom, *color, "imgfilter"),
        "bgcfn": (*blit, *geom, *color, "imgfilter", "noise"),
        "bgcfnc": (*blit, *geom, *color, "imgfilter", "noise", "cutout"),
    }
    assert {name: tuple(ops) for name, ops in PRESETS.items()} == want
    assert read({"preset": "bgc"}) == Settings(**dict.fromkeys(want["bgc"], 1.0))


def test_settings_replace_those_of_the_preset():
    assert read(None) == read({}) == Settings()
    face = read({"preset": "bgc", "rotate90": False, "lumaflip": 0, "hue": None, "rotate_max": 0.1, "xflip": True})
    assert (face.rotate90, face.lumaflip, face.hue, face.rotate_max, face.xflip) == (0, 0, 1, 0.1, 1)
    assert ada.label_size(face, 1) == 1 + 2 + 1 + 2 + 1 + 2 + 2 + 1 + 1
    assert ada.label_size(face, 3) == ada.label_size(face, 1) + 3
    assert ada.label_size(Settings(), 3) == 0
    images = jnp.ones((2, 4, 4, 3))
    out, labels = ada.apply(images, ada.Draws({}), 1.0, Settings())
    assert labels.shape == (2, 0)
    np.testing.assert_array_equal(out, images)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("bgc", "ada: expected fields, found 'bgc'"),
        ({"preset": "bgz"}, "ada.preset: expected one of none, blit, geom, .* found 'bgz'"),
        ({"flip": 1}, "ada.flip: unknown field; the fields are preset, xflip, rotate90"),
        ({"scale": -0.5}, "ada.scale: expected a number of at least 0, found -0.5"),
        ({"xint_max": 2}, "ada.xint_max: expected a number from 0 to 1, found 2"),
        ({"noise": "much"}, "ada.noise: expected a number of at least 0, found 'much'"),
        ({"imgfilter_bands": (1, 1)}, r"ada.imgfilter_bands: expected 4 numbers, found \(1, 1\)"),
    ],
)
def test_a_wrong_setting_is_named(config, said):
    with pytest.raises(BadInput, match=said):
        read(config)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (0.5, "ada_control: expected fields, found 0.5"),
        ({"rate": 1}, "ada_control.rate: unknown field; the fields are adaptive, interval, p, target, kimg, cap"),
        ({"p": 1.5}, "ada_control.p: expected a number from 0 to 1, found 1.5"),
        ({"interval": 0}, "ada_control.interval: expected a whole number of at least 1, found 0"),
        ({"adaptive": 1}, "ada_control.adaptive: expected True or False, found 1"),
        ({"kimg": 0}, "ada_control.kimg: expected a number of at least 0.001, found 0"),
    ],
)
def test_a_wrong_control_is_named(config, said):
    with pytest.raises(BadInput, match=said):
        ada_control.read(config)


def test_control_from_a_config():
    assert ada_control.read(None) == Control()
    assert ada_control.read({"p": 0.2, "adaptive": False, "cap": None}) == Control(p=0.2, adaptive=False)
