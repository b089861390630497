"""The pipeline of ADA against arrays of the reference code, and what holds for any draws."""

from collections.abc import Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import erfinv

from fergen.augment import ada, ada_colour, ada_geometry
from fergen.augment.ada import Draw, Draws
from fergen.augment.ada_settings import PRESETS, Settings, read
from fergen.core import mesh

ALL = read({"preset": "bgcfnc"})
apply = jax.jit(ada.apply, static_argnames=("settings", "margins"))
augment = jax.jit(ada.augment, static_argnames="settings")
draw = jax.jit(ada.draw, static_argnames=("shape", "settings"))
labels_at = jax.jit(lambda key, shape, p, settings: ada.apply(
    jnp.zeros(shape), ada.draw(key, shape, settings), p, settings)[1], static_argnums=(1, 3))  # fmt: skip


@pytest.fixture(scope="module")
def reference() -> dict[str, np.ndarray]:
    """Arrays of the official code by "what/spec/kind/p", where operations take a percentile of their distribution."""
    with np.load(Path(__file__).parent / "stylegan2_augment.npz") as stored:
        return dict(stored)


def images(b: int = 8, h: int = 16, w: int = 16, c: int = 3) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (b, h, w, c)).astype(np.float32)


def cases_of(reference: dict, what: str, kind: str = "") -> list[str]:
    return [name.partition("/")[2] for name in reference if name.startswith(what + "/") and f"/{kind}" in name[4:]]


def at_percentiles(cases: Sequence[str], channels: int, pixels: np.ndarray | None = None, dtype=np.float32) -> Draws:
    """Draw nothing: row by row what the reference code's debug mode puts in place of its random numbers."""
    ops = {}
    specs = [case.partition("/")[0] for case in cases]
    share = np.array([float(case.rpartition("/p")[2]) for case in cases], dtype)
    for name, op in ada.OPS.items():
        field = name.removesuffix("_before").removesuffix("_after")
        on = [field in PRESETS.get(spec, (spec,)) for spec in specs]
        if name == "rotate_after":
            value = np.full_like(share, 0.5)  # no angle
        elif name == "noise":
            value = erfinv(share)
        else:
            value = erfinv(2 * share - 1) if op.normal else share
        if channels > 1 or name not in ("hue", "saturation"):
            gate = np.where(on, 0, 1).astype(dtype)
            ops[name] = Draw(
                jnp.asarray(np.repeat(value[:, None], op.values, 1)), jnp.asarray(np.repeat(gate[:, None], op.gates, 1))
            )
    return Draws(ops, None if pixels is None else jnp.asarray(pixels))


@pytest.mark.parametrize("kind", ["rgb", "gray", "wide"])
def test_every_operation_agrees_with_the_reference_code(reference, kind):
    cases = cases_of(reference, "out", f"{kind}/")
    image = reference[f"in/{kind}"]
    pixels = np.concatenate([reference.get(f"pixels/{case}", np.zeros(image.shape[1:]))[None] for case in cases])
    draws = at_percentiles(cases, image.shape[-1], pixels.astype(np.float32))
    out = np.asarray(apply(np.repeat(image, len(cases), 0), draws, 1.0, ALL)[0])
    assert len(cases) >= 10
    for row, case in zip(out, cases):
        np.testing.assert_allclose(row, reference[f"out/{case}"], atol=2e-5, err_msg=case)


@pytest.mark.parametrize("case", ["geom/wide/p0.87", "rotate/wide/p0.3", "bgc/gray/p0.3", "bgcfnc/rgb/p0.87"])
def test_margins_of_the_reference_code_change_next_to_nothing(reference, case):
    spec, kind, _ = case.split("/")
    image = reference[f"in/{kind}"]
    settings = read({"preset": spec} if spec in PRESETS else {spec: 1})
    pixels = reference.get(f"pixels/{case}")
    draws = at_percentiles([case], image.shape[-1], None if pixels is None else pixels[None])
    margins = ada.exact_margins(draws, 1.0, settings, image.shape)
    # A quarter turn is exact here; the reference's cosine of it is 1e-8 off, which its ceil turns into a pixel.
    spare = np.array(margins) - reference[f"margins/{case}"]
    assert (spare == 0).all() or ("bg" in spec and np.isin(spare, (0, -1)).all())
    out = np.asarray(apply(image, draws, 1.0, settings, margins=margins)[0])[0]
    np.testing.assert_allclose(out, reference[f"out/{case}"], atol=1e-5)


def test_maps_agree_with_the_reference_code_in_float64(reference):
    with jax.enable_x64(True):
        for kind in ("rgb", "gray", "wide"):
            cases = cases_of(reference, "G_inv_pixel", f"{kind}/")
            shape = (len(cases), *reference[f"in/{kind}"].shape[1:])
            draws = at_percentiles(cases, shape[-1], dtype=np.float64)

            @jax.jit
            def maps(draws, shape=shape):
                return ada_geometry.inverse(ada._applied(draws, 1.0, ALL, shape), ALL, shape[1:3])

            found = np.asarray(maps(draws))
            for matrix, case in zip(found, cases):
                np.testing.assert_allclose(matrix, reference[f"G_inv_pixel/{case}"][:2], atol=1e-12, err_msg=case)


def test_colours_agree_with_the_reference_code_in_float64(reference):
    cases = cases_of(reference, "C", "rgb/")
    # Black, then the unit colours: what they become are the offset and the columns of the matrix.
    basis = np.concatenate([np.zeros((1, 3)), np.eye(3)])[None, None]
    with jax.enable_x64(True):
        shape = (len(cases), 1, 4, 3)

        @jax.jit
        def coloured(draws):
            return ada_colour.recolour(
                jnp.tile(basis, (len(cases), 1, 1, 1)), ada._applied(draws, 1.0, ALL, shape), ALL
            )

        out = np.asarray(coloured(at_percentiles(cases, 3, dtype=np.float64)))[:, 0]
    for colours, case in zip(out, cases):
        want = reference[f"C/{case}"]
        np.testing.assert_allclose(colours[0], want[:3, 3], atol=1e-12, err_msg=case)
        np.testing.assert_allclose((colours[1:] - colours[0]).T, want[:3, :3], atol=1e-12, err_msg=case)


@pytest.mark.parametrize("channels", [1, 3])
def test_labels_are_zero_for_those_images_that_come_back_bit_for_bit(channels):
    x = images(64, 24, 24, channels)
    out, labels = (np.asarray(a) for a in augment(jax.random.key(0), x, 0.08, ALL))
    assert labels.shape == (64, ada.label_size(ALL, channels))
    assert labels.dtype == np.float32
    same, unlabelled = (out == x).all((1, 2, 3)), (labels == 0).all(1)
    assert 5 < same.sum() < 59
    np.testing.assert_array_equal(same, unlabelled)


def test_at_zero_nothing_happens_and_a_new_p_compiles_nothing():
    compiled = []

    @jax.jit
    def run(key, x, p):
        compiled.append(p)
        return ada.augment(key, x, p, ALL)

    x = images(c=1, h=24, w=24)
    out, labels = run(jax.random.key(1), x, jnp.float32(0))
    np.testing.assert_array_equal(out, x)
    assert not np.asarray(labels).any()
    strong = [np.asarray(run(jax.random.key(1), x, jnp.float32(p))[0]) for p in (0.5, 1.0)]
    assert not (strong[0] == strong[1]).all()
    assert len(compiled) == 1


def test_half_precision_images_are_augmented_in_float32():
    x = jnp.asarray(images(4), jnp.bfloat16)
    settings = read({"preset": "color"})
    out, labels = augment(jax.random.key(1), x, 0.9, settings)
    assert out.dtype == jnp.bfloat16
    assert labels.dtype == jnp.float32
    want, _ = augment(jax.random.key(1), x.astype(jnp.float32), 0.9, settings)
    np.testing.assert_array_equal(np.asarray(out, np.float32), np.asarray(want.astype(jnp.bfloat16), np.float32))


def test_draws_replay_and_an_image_is_alone_in_its_batch():
    x = images(8, 24, 24, 1)
    draws = draw(jax.random.key(2), x.shape, ALL)
    out, labels = (np.asarray(a) for a in apply(x, draws, 0.8, ALL))
    direct = augment(jax.random.key(2), x, 0.8, ALL)
    np.testing.assert_allclose(out, direct[0], atol=1e-6)
    np.testing.assert_array_equal(labels, direct[1])
    # Other neighbours, another order.
    order = np.array([5, 2, 2, 7, 0, 1, 1, 6])
    again = apply(x[order], jax.tree.map(lambda a: a[order], draws), 0.8, ALL)
    np.testing.assert_array_equal(np.asarray(again[0]), out[order])
    np.testing.assert_array_equal(np.asarray(again[1]), labels[order])
    # Rows keep their numbers in a smaller batch, and operations theirs when another one is left out.
    fewer = draw(jax.random.key(2), (3, 24, 24, 1), read({"preset": "bgc", "scale": 0}))
    assert set(draws.ops) - set(fewer.ops) == {"scale", "imgfilter", "noise", "cutout"}
    for name, (value, gate) in fewer.ops.items():
        np.testing.assert_array_equal(value, draws.ops[name].value[:3])
        np.testing.assert_array_equal(gate, draws.ops[name].gate[:3])


def test_eight_devices_agree_with_one():
    x = images(8, 24, 24, 1)
    want = augment(jax.random.key(3), x, 0.7, ALL)
    over = mesh.build()
    assert over.size == 8
    got = augment(jax.random.key(3), mesh.place(x, mesh.split(over)), 0.7, ALL)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), atol=1e-5)


N = 20_000


def columns(settings: Settings, p: float, shape=(N, 8, 16, 3)) -> dict[str, np.ndarray]:
    """Return the labels of many images by operation."""
    labels, found = np.asarray(labels_at(jax.random.key(4), shape, p, settings)), {}
    for name in ada._active(settings, shape[-1]):
        found[name], labels = labels[:, : ada.OPS[name].labels], labels[:, ada.OPS[name].labels :]
    assert labels.shape[1] == 0
    return found


def near(share: float, expected: float) -> bool:
    return abs(share - expected) <= 4.5 * np.sqrt(expected * (1 - expected) / N)


@pytest.mark.parametrize("p", [0.3, 1.0])
def test_shares_of_images_that_operations_reach(p):
    found = columns(ALL, p)
    assert near((found["xflip"] == 1).mean(), p / 2)
    assert near((found["lumaflip"] == 1).mean(), p / 2)
    # Columns are cosine - 1 and sine: none, a quarter, a half, three quarters.
    for turn in ((-1, 1), (-2, 0), (-1, -1)):
        assert near(np.isclose(found["rotate90"], turn, atol=1e-6).all(1).mean(), p / 4)
    turned = [(found[name] != 0).any(1) for name in ("rotate_before", "rotate_after")]
    assert near((turned[0] | turned[1]).mean(), p)
    assert near(turned[0].mean(), 1 - np.sqrt(1 - p))
    assert near(turned[1].mean(), 1 - np.sqrt(1 - p))
    for name in ("scale", "aniso", "xfrac", "brightness", "contrast", "hue", "saturation", "noise", "cutout"):
        assert near((found[name] != 0).any(1).mean(), p), name
    for band in found["imgfilter"].T:
        assert near((band != 0).mean(), p)


def test_labels_have_the_distributions_of_the_paper():
    found = columns(ALL, 1.0)
    for name in ("scale", "aniso", "xfrac", "brightness", "contrast", "saturation", "imgfilter"):
        assert abs(found[name].mean()) < 0.03, name
        assert abs(found[name].std() - 1) < 0.03, name
    assert found["noise"].min() >= 0
    assert abs((found["noise"] ** 2).mean() - 1) < 0.05
    shift = found["xint"] * 0.125 * [16, 8]
    np.testing.assert_allclose(shift, np.round(shift), atol=1e-5)
    assert np.abs(shift).max(0).tolist() == [2, 1]
    for name in ("rotate_before", "rotate_after", "hue"):
        turned = found[name][(found[name] != 0).any(1)] + [1, 0]
        np.testing.assert_allclose((turned**2).sum(1), 1, atol=1e-5)
        angle = np.arctan2(turned[:, 1], turned[:, 0])
        assert abs(angle.std() - np.pi / np.sqrt(3)) < 0.05, name
    assert (found["cutout"][:, 0] == 1).all()
    assert abs(found["cutout"][:, 1:].std() - 1 / np.sqrt(12)) < 0.01


def test_multipliers_scale_the_chance_of_one_operation():
    config = {"scale": 0.5, "brightness": 1.0, "xflip": 1e8, "imgfilter": 1, "imgfilter_bands": (1, 0.5, 0, 1)}
    found = columns(read(config), 0.4)
    assert list(found) == ["xflip", "scale", "brightness", "imgfilter"]
    assert near((found["scale"] != 0).mean(), 0.2)
    assert near((found["brightness"] != 0).mean(), 0.4)
    assert near((found["xflip"] != 0).mean(), 0.5)  # whatever p
    assert near((found["imgfilter"][:, 1] != 0).mean(), 0.2)
    assert not found["imgfilter"][:, 2].any()


def test_gradients_are_those_of_an_affine_map_to_any_order():
    # Every operation is affine in the images, and so a difference of any step is exact.
    x, step, weight = (jnp.asarray(images(4, 24, 24, 3)[i % 4][None] * s) for i, s in enumerate((1.0, 0.7, -0.4)))
    x, step, weight = (jnp.concatenate([a, a[:, ::-1], a[:, :, ::-1], -a]) for a in (x, step, weight))
    draws = draw(jax.random.key(5), x.shape, ALL)

    @jax.jit
    def measure(x, scale):
        def score(x, scale):
            return scale * (weight * ada.apply(x, draws, 0.9, ALL)[0] ** 2).sum()

        def penalty(x, scale):
            return (jax.grad(score)(x, scale) ** 2).sum()

        return jax.value_and_grad(score)(x, scale), jax.value_and_grad(penalty, (0, 1))(x, scale)

    (_, slope), (penalty, (curve, by_scale)) = measure(x, 0.7)
    (above, _), (penalty_above, _) = measure(x + step, 0.7)
    (below, _), (penalty_below, _) = measure(x - step, 0.7)
    assert np.isfinite(slope).all()
    # Of a quadratic function, the central difference is the slope.
    np.testing.assert_allclose((above - below) / 2, (slope * step).sum(), rtol=1e-3)
    np.testing.assert_allclose((penalty_above - penalty_below) / 2, (curve * step).sum(), rtol=1e-3)
    np.testing.assert_allclose(by_scale, 2 * penalty / 0.7, rtol=1e-4)
