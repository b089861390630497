"""What every classifier promises: shapes, types, what it sows, and how training differs from prediction."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fergen.core.errors import BadInput
from fergen.core.tree import leaf_names, nest

# Model, options, image shape, shape of the feature map of one image, width of the features.
CASES = {
    "cnn": ("cnn", {}, (48, 48, 1), (3, 3, 512), 256),
    "cnn_quarter": ("cnn", {"width": 0.25}, (48, 48, 1), (3, 3, 128), 64),
    "cnn_colour": ("cnn", {"hidden": (40, 30)}, (64, 80, 3), (4, 5, 512), 30),
    "cnn_simple": ("cnn_simple", {}, (48, 48, 1), (6, 6, 128), 128),
    "resnet18": ("resnet", {"depth": 18}, (96, 128, 3), (3, 4, 512), 512),
    "resnet18_small": ("resnet", {"depth": 18, "stem": "small"}, (48, 48, 1), (6, 6, 512), 512),
    "resnet50": ("resnet", {"depth": 50}, (48, 48, 1), (2, 2, 2048), 2048),
    "mobilenet_small": ("mobilenet", {"variant": "small"}, (48, 48, 1), (2, 2, 576), 1024),
    "mobilenet_large_stem": ("mobilenet", {"variant": "large", "stem": "small"}, (48, 48, 1), (3, 3, 960), 1280),
    "efficientnet_b0": ("efficientnet", {"variant": "b0"}, (48, 48, 1), (2, 2, 1280), 1280),
    "efficientnet_v2_s": ("efficientnet", {"variant": "v2_s", "stem": "small"}, (48, 48, 1), (3, 3, 1280), 1280),
    "efficientnet_lite0": ("efficientnet", {"variant": "lite0"}, (224, 224, 3), (7, 7, 1280), 1280),
    "vgg16": ("vgg", {"depth": 16, "batch_norm": False}, (48, 48, 1), (1, 1, 512), 4096),
    "vgg19_bn_small": ("vgg", {"depth": 19, "head": "small"}, (48, 48, 1), (1, 1, 512), 512),
}
SHRUNK = {
    "cnn": {"width": 1 / 16},
    "cnn_simple": {"filters": (4, 8), "hidden": 8},
    "resnet": {"depth": 18, "dropout": 0.3, "drop_path": 0.5},
    "mobilenet": {},
    "efficientnet": {"variant": "lite0"},
    "vgg": {"head": "small"},
}


def build(name, **options):
    return importlib.import_module(f"fergen.models.{name}").build(num_classes=7, **options)


@pytest.mark.parametrize("case", CASES)
def test_shapes_and_types(case):
    name, options, image, feature_map, width = CASES[case]
    # Half precision everywhere: single precision of parameters, features and logits must not depend on it.
    module = build(name, dtype=jnp.bfloat16, **options)
    x = jax.ShapeDtypeStruct((2, *image), jnp.float32)

    logits, seen = jax.eval_shape(lambda key, x: module.init_with_output(key, x, mutable=True), jax.random.key(0), x)
    sown = seen.pop("intermediates")
    assert {leaf.dtype for leaf in jax.tree.leaves(seen)} == {jnp.dtype("float32")}
    assert set(seen) <= {"params", "batch_stats"}
    assert (logits.shape, logits.dtype) == ((2, 7), jnp.float32)
    assert (sown["feature_map"][0].shape, sown["feature_map"][0].dtype) == ((2, *feature_map), jnp.bfloat16)
    assert sown["features"][0].shape == (2, width)


def draw(shapes):
    """Draw variables with numpy, which needs no compilation; variances and scales are positive."""
    rng = np.random.default_rng(0)

    def leaf(name, shape):
        if name.endswith(("/var", "/scale")):
            return rng.uniform(0.5, 1.5, shape).astype(np.float32)
        fan = np.prod(shape[:-1]) if len(shape) > 1 else 100
        return (rng.normal(size=shape) * np.sqrt(2 / fan)).astype(np.float32)

    return nest({name: leaf(name, value.shape) for name, value in leaf_names(shapes).items()})


@pytest.mark.parametrize("name", SHRUNK)
def test_head_reads_the_features_and_training_differs(name):
    module = build(name, **SHRUNK[name])
    x = np.random.default_rng(0).normal(size=(3, 32, 32, 1)).astype(np.float32)
    variables = draw(jax.eval_shape(module.init, jax.random.key(0), x))

    predict = jax.jit(lambda v, x: module.apply(v, x, mutable=["intermediates"]))
    logits, seen = predict(variables, x)
    (features,) = seen["intermediates"]["features"]
    (head,) = (variables["params"][n] for n in importlib.import_module(f"fergen.models.{name}").HEAD
               if n in variables["params"])  # fmt: skip
    np.testing.assert_allclose(features @ head["kernel"] + head["bias"], logits, rtol=1e-3, atol=1e-4)

    # Prediction looks at each image alone, training at the whole batch.
    others = np.concatenate([x[:1], x[1:] + 1])
    np.testing.assert_allclose(predict(variables, others)[0][0], logits[0], rtol=1e-4, atol=1e-4)

    @jax.jit
    def train(v, x, key):
        return module.apply(v, x, train=True, rngs={"dropout": key}, mutable=["batch_stats"])

    # The rbg generator compiles several times faster than the default one.
    keys = jax.random.split(jax.random.key(0, impl="rbg"), 2)
    trained, moved = train(variables, x, keys[0])
    assert np.isfinite(trained).all()
    assert np.abs(trained - train(variables, x, keys[1])[0]).max() > 1e-3
    before, after = jax.tree.leaves(variables["batch_stats"]), jax.tree.leaves(moved["batch_stats"])
    assert all(np.abs(a - b).max() > 0 for a, b in zip(before, after))


def test_vgg_sows_every_relu():
    module = build("vgg", depth=19, batch_norm=False, head="small")
    x = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
    variables = jax.eval_shape(module.init, jax.random.key(0), x)
    _, seen = jax.eval_shape(lambda v, x: module.apply(v, x, mutable=["intermediates"]), variables, x)
    maps = {k: v[0].shape for k, v in seen["intermediates"].items() if k.startswith("relu")}
    assert len(maps) == 16
    assert maps["relu1_2"] == (1, 64, 64, 64)
    assert maps["relu3_4"] == (1, 16, 16, 256)
    assert maps["relu5_4"] == (1, 4, 4, 512)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("resnet", {"depth": 20}, "depth=20: expected one of 18, 34, 50"),
        ("resnet", {"stem": "large"}, "stem=large: expected one of imagenet, small"),
        ("mobilenet", {"variant": "huge"}, "variant=huge: expected one of small, large"),
        ("efficientnet", {"variant": "b9"}, "variant=b9: expected one of b0, v2_s, lite0"),
        ("vgg", {"depth": 11}, "depth=11: expected one of 16, 19"),
        ("vgg", {"head": "big"}, "head=big: expected one of imagenet, small"),
        ("cnn", {"width": 0}, "width=0: expected a positive number"),
        ("cnn", {"hidden": (512,)}, "expected 2 hidden widths"),
        ("cnn_simple", {"filters": ()}, "expected at least one block"),
    ],
)
def test_options_are_checked(name, options, words):
    with pytest.raises(BadInput, match=words.replace("(", r"\(")):
        build(name, **options)
