"""ONNX and StableHLO compute what JAX computes, for the network of every config; the check itself can fail."""

import jax
import numpy as np
import pytest

from fergen.core import config as configs
from fergen.core.errors import BadInput, FergenError
from fergen.export import check, to_stablehlo
from fergen.export.functions import Input, drawn, function_of
from fergen.export.runtime import session
from fergen.export.to_onnx import to_onnx
from tests.export.models import EXPERIMENTS, made

# One for each task by default; the rest is slow.
DEFAULT = {
    "fer2013_small": "classifier",
    "procedural_gan": "gan",
    "fer2013_cvae": "cvae",
    "fer2013_flow_small": "flow",
    "fer2013_stylegan2_small": "stylegan2",
}
# Their networks for large GPUs at reduced width, the rest of the architecture as it is: a minute each otherwise.
STYLEGAN2 = ("model.channel_max=64", "model.channel_base=2048", "model.z_dim=64", "model.w_dim=64")
NARROW = {
    "affectnet_acgan": ("model.widths=(16,32,64,64)", "model.width=16"),
    "affectnet_cgan": ("model.widths=(16,32,64,64)", "model.width=16"),
    "affectnet_cvae": ("model.widths=(16,32,64,64)",),
    "affectnet_flow": ("model.widths=(32,32,64,64)",),
    "affectnet_gan": ("model.width=16",),
    "affectnet_stylegan2": STYLEGAN2,
    "fer2013_stylegan2": STYLEGAN2,
    "fer2013_stylegan2_32": STYLEGAN2,
    "fer2013_stylegan2_64": STYLEGAN2,
    "fer2013_flow": ("model.widths=(32,64,64,64)",),
}


def error_of(exported) -> float:
    """The largest difference from JAX, as the command measures it."""
    model = session(to_onnx(exported).SerializeToString())
    names = [given.name for given in exported.inputs]
    return check.checked(exported, lambda given: model.run(None, dict(zip(names, given))), exported.name)


def networks() -> list[str]:
    """Return the configs whose networks differ: others of the same network and images differ in training alone."""
    found: dict = {}
    for name in [*DEFAULT, *EXPERIMENTS]:
        config = configs.load(f"{name}:smoke", list(NARROW.get(name, ())))
        kind = (config.task, config.model.to_json(), config.data.name, config.data.vocabulary)
        found.setdefault(kind, name)
    return sorted(found.values())


NETWORKS = networks()


def test_one_of_each_task_is_checked_by_default():
    assert set(DEFAULT) <= set(NETWORKS)
    assert {configs.load(name).task for name in EXPERIMENTS} == set(DEFAULT.values())
    assert all(configs.load(name).task == task for name, task in DEFAULT.items())


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in DEFAULT else pytest.mark.slow) for name in NETWORKS]
)
def test_onnx_is_jax(name):
    found = made(name, NARROW.get(name, ()))
    exported = function_of(found)
    assert error_of(exported) <= 1e-4
    # What is compared is no constant.
    given = drawn(exported.inputs, 2)
    first, second = np.asarray(jax.jit(exported.call)(*given)[0])
    assert np.abs(first - second).max() > 1e-3 * np.abs(first).max()


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("fer2013_small", "features"),
        ("procedural_cvae", "encode"),
        ("procedural_cvae", "decode"),
        ("fer2013_stylegan2_small", "styles"),
        ("fer2013_stylegan2_small", "synthesise"),
    ],
)
def test_the_other_functions(name, function):
    assert error_of(function_of(made(name), function)) <= 1e-4


def test_computation_in_half_precision_becomes_single():
    found = made("procedural_small", ("precision=bfloat16",))
    assert found.spec["model"]["dtype"] == "bfloat16"
    images = drawn(function_of(found).inputs, 2)
    (half,) = (np.asarray(jax.jit(found.predict["logits"])(found.variables, *images)),)
    single = np.asarray(function_of(found).call(*images)[0])
    assert 1e-4 < np.abs(single - half).max() / np.abs(half).max() < 0.1


def test_an_unconditional_generator_takes_no_labels():
    assert [given.name for given in function_of(made("procedural_gan")).inputs] == ["latents"]
    conditional = function_of(made("fer2013_stylegan2_small"))
    assert [given.name for given in conditional.inputs][:3] == ["latents", "labels", "truncation"]


def test_stablehlo_is_jax_for_any_batch():
    exported = function_of(made("fer2013_small", card={"temperature": 2.0}))
    data = to_stablehlo.to_stablehlo(exported)
    read = to_stablehlo.read(data)
    assert read.platforms == ("cpu", "cuda", "tpu")
    assert check.checked(exported, lambda given: [np.asarray(x) for x in read.call(*given)], "x") <= 1e-6
    logits, probabilities = (np.asarray(x) for x in read.call(*drawn(exported.inputs, 7)))
    scaled = np.exp(logits / 2)
    np.testing.assert_allclose(probabilities, scaled / scaled.sum(1, keepdims=True), rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["procedural_cgan", "procedural_cvae", "procedural_flow", "fer2013_stylegan2_small"])
def test_stablehlo_of_generators(name):
    exported = function_of(made(name))
    read = to_stablehlo.read(to_stablehlo.to_stablehlo(exported))
    assert check.checked(exported, lambda given: [np.asarray(x) for x in read.call(*given)], "x") <= 1e-4


def test_stylegan2s_options_have_defaults_and_count():
    """Left out, truncation and noise are the sampler's; given, they act as they do in JAX."""
    found = made("fer2013_stylegan2_small", ("sampler.truncation=0.5",))
    exported = function_of(found)
    model = session(to_onnx(exported).SerializeToString())
    named = dict(zip((given.name for given in exported.inputs), drawn(exported.inputs, 2)))
    given = {name: named[name] for name in ("latents", "labels")}
    (plain,) = model.run(None, given)
    expected = jax.jit(found.predict["sample"])(found.variables, *given.values())
    np.testing.assert_allclose(plain, expected, atol=1e-4)
    (other,) = model.run(None, {**given, "truncation": np.asarray(0, np.float32)})
    assert np.abs(other - plain).max() > 1e-2
    noise = next(name for name in named if name.startswith("noise"))
    (noisy,) = model.run(None, {**given, noise: named[noise]})
    assert np.abs(noisy - plain).max() > 1e-4


def test_the_check_can_fail():
    exported = function_of(made("procedural_small"))

    def wrong(given, error=1.0):
        logits, probabilities = (np.array(x) for x in jax.jit(exported.call)(*given))
        logits[0, 0] += error * np.abs(logits).max()
        return logits, probabilities

    assert check.checked(exported, lambda given: wrong(given, 5e-5), "x") == pytest.approx(5e-5, rel=0.2)
    for error in (2e-4, np.nan):
        with pytest.raises(FergenError, match="output logits differs from JAX"):
            check.checked(exported, lambda given, error=error: wrong(given, error), "x")
    with pytest.raises(FergenError, match="expected the shape"):
        check.checked(exported, lambda given: [x[:1] for x in wrong(given, 0)], "x")


def test_a_function_that_a_model_has_not():
    with pytest.raises(BadInput, match="--function=encode: a classifier has logits, features"):
        function_of(made("procedural_small"), "encode")


def test_inputs_are_drawn_in_their_range():
    rng = np.random.default_rng(0)
    labels = Input("labels", ("n",), np.int32, 7).drawn(rng, 1000)
    assert (labels.min(), labels.max(), labels.dtype) == (0, 6, np.int32)
