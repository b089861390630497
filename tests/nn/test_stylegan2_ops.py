"""The layers of StyleGAN2 against arrays that the reference code computed in double precision."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fergen.augment.ada_geometry import SYM6
from fergen.nn import equalized, fir
from fergen.nn.activation import ACTIVATIONS, activate
from fergen.nn.conv_resample import conv_resampled, transposed
from fergen.nn.modulated import modulated_conv

STORED = np.load(Path(__file__).parent / "stylegan2_ops.npz")
CASES = json.loads(str(STORED["cases"]))
OPS = {
    "upfirdn": ("upfirdn2d", "filter2d", "upsample2d", "downsample2d"),
    "conv": ("conv2d_resample",),
    "modconv": ("modulated_conv2d",),
}


def cases(group):
    """The cases of a group; double precision where the reference had it."""
    return [case for case in CASES if case["op"] in OPS[group]]


def taps_of(case):
    """The filter of a case. The stored taps of sym6 are rounded, those behind the stored results are not."""
    name = case["filter"]
    return fir.normalised(SYM6 if name == "sym6" else STORED[f"setup_filter_in/{name}"])


def image(name):
    """Double precision images, channels last."""
    return jnp.asarray(np.moveaxis(STORED[name], 1, -1), jnp.float64)


def close(found, name):
    """Within 1e-10 of the largest number."""
    wanted = STORED[name]
    found = np.moveaxis(np.asarray(found), -1, 1) if wanted.ndim == 4 else np.asarray(found)
    assert found.shape == wanted.shape, name
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-10 * np.abs(wanted).max(), err_msg=name)


@pytest.mark.parametrize("name", ["1331", "asym", "sym6", "k2d"])
def test_taps_are_scaled_as_the_reference_scales_them(name):
    taps, wanted = fir.normalised(STORED[f"setup_filter_in/{name}"]), STORED[f"setup_filter/{name}"]
    plane = np.outer(taps, taps) if taps.ndim == 1 and wanted.ndim == 2 else taps
    np.testing.assert_allclose(plane, wanted, rtol=2e-7)


def test_taps_without_a_sum_are_refused():
    for taps in ((1, -1), np.zeros((2, 2)), 3.0):
        with pytest.raises(ValueError, match="expected taps"):
            fir.normalised(taps)


def test_resampling():
    """Any factors and pads, negative ones too, with windows, planes, odd and even numbers of taps."""
    with jax.enable_x64(True):
        x = image("upfirdn/x")
        for case in cases("upfirdn"):
            taps = taps_of(case)
            pair = {k: (v, v) if isinstance(v := case.get(k, 1), int) else tuple(v[::-1]) for k in ("up", "down")}
            if case.get("flip_filter"):
                taps = taps[::-1, ::-1] if taps.ndim == 2 else taps[::-1]
            left, right, top, bottom = case.get("padding", (0, 0, 0, 0))
            pads = ((top, bottom), (left, right))
            if case["op"] == "upsample2d":
                made = fir.upsample(x, taps)
            elif case["op"] == "downsample2d":
                made = fir.downsample(x, taps)
            else:
                if case["op"] == "filter2d":
                    pads = tuple((n // 2, (n - 1) // 2) for n in (len(taps), taps.shape[-1]))
                made = fir.upfirdn(x, taps, **pair, pads=pads, gain=case.get("gain", 1))
            close(made, f"upfirdn/y{case['idx']:02d}")


def test_convolutions_that_change_the_resolution():
    with jax.enable_x64(True):
        x = image("conv/x")
        for case in cases("conv"):
            kernel = jnp.asarray(STORED[f"conv/w{case['k']}"].transpose(2, 3, 1, 0), jnp.float64)
            options = {k: case[k] for k in ("up", "down", "padding") if k in case}
            made = conv_resampled(x, kernel, taps_of(case), flip=not case.get("flip_weight", True), **options)
            close(made, f"conv/y{case['idx']:02d}")


def test_modulated_convolutions():
    """Those that the reference computes by one kernel for each image, too: the values are the same."""
    with jax.enable_x64(True):
        x = image("conv/x")
        for case in cases("modconv"):
            kernel = jnp.asarray(STORED[f"modconv/w{case['k']}"].transpose(2, 3, 1, 0), jnp.float64)
            styles = jnp.asarray(STORED[f"modconv/s{case['k']}"], jnp.float64)
            options = {k: case[k] for k in ("up", "down", "padding", "demodulate") if k in case}
            flip = not case.get("flip_weight", True)
            made = modulated_conv(x, kernel, styles, taps_of(case), flip=flip, **options)
            close(made, f"modconv/y{case['idx']:02d}")


def test_activations():
    with jax.enable_x64(True):
        x, b = (jnp.asarray(STORED[f"bias_act/{name}"], jnp.float64) for name in "xb")
        for name in ACTIVATIONS:
            close(activate(x + b[:, None], name), f"bias_act/{name}_def/y")


@pytest.mark.parametrize("tag", ["lin", "lrelu001", "bias1", "nobias"])
def test_dense(tag):
    options = {
        "lrelu001": {"activation": "lrelu", "rate": 0.01},
        "bias1": {"bias": 1.0},
        "nobias": {"activation": "relu"},
    }
    with jax.enable_x64(True):
        layer = equalized.Dense(6, **options.get(tag, {}))
        x = jnp.asarray(STORED["norm2/x"], jnp.float64)
        params = layer.init(jax.random.key(0), x)["params"]
        np.testing.assert_array_equal(params["bias"], np.full(6, options.get(tag, {}).get("bias", 0.0)))
        bias = STORED[f"fc/{tag}/b"] if f"fc/{tag}/b" in STORED else np.zeros(6)
        given = {"kernel": STORED[f"fc/{tag}/w"].T.astype(np.float64), "bias": bias.astype(np.float64)}
        close(layer.apply({"params": given}, x), f"fc/{tag}/y")


@pytest.mark.parametrize("size", [1, 3, 4])
@pytest.mark.parametrize("order", [1, 2])
def test_transposed_convolutions_and_their_gradients(size, order):
    """Against XLA's form with zeros between the pixels; the second derivative is what penalties need."""
    rng = np.random.default_rng(0)
    x, kernel = (jnp.asarray(rng.normal(size=shape), jnp.float32) for shape in ((2, 5, 4, 3), (size, size, 3, 2)))

    def plain(x, kernel):
        edge = (size - 1,) * 2
        return jax.lax.conv_general_dilated(
            x, kernel, (1, 1), (edge, edge), lhs_dilation=(2, 2), dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    assert transposed(x, kernel).shape == (2, 10 + size - 2, 8 + size - 2, 2)
    ends = []
    for form in (transposed, plain):

        def total(x, kernel, form=form):
            return jnp.sin(form(x, kernel)).sum()

        def penalty(x, kernel, total=total):
            return jnp.square(jax.grad(total)(x, kernel)).sum()

        ends.append(jax.jit(jax.grad(total if order == 1 else penalty, (0, 1)))(x, kernel))
    for ours, theirs in zip(*ends):
        np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=2e-4)
