"""The feature maps that perceptual terms read: every classifier has its stages, named and in order."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fergen.tasks import classifier

# Model with options -> name of a map: its height and width (of 48 pixels) and channels.
MAPS = {
    "fernet": ({}, {"stage1": (24, 32), "stage2": (12, 96), "stage3": (6, 160), "feature_map": (6, 160)}),
    "cnn": ({"width": 0.5}, {"stage1": (48, 32), "stage2": (24, 64), "stage4": (6, 256), "feature_map": (3, 256)}),
    "cnn_simple": ({}, {"stage1": (48, 32), "stage2": (24, 64), "stage3": (12, 128), "feature_map": (6, 128)}),
    "resnet": (
        {"depth": 18, "stem": "small"},
        {"stage1": (48, 64), "stage2": (24, 128), "stage3": (12, 256), "stage4": (6, 512), "feature_map": (6, 512)},
    ),
    "efficientnet": (
        {"variant": "lite0", "stem": "small"},
        {"stage1": (48, 16), "stage2": (24, 24), "stage3": (12, 40), "stage4": (6, 80), "stage5": (6, 112),
         "stage6": (3, 192), "stage7": (3, 320), "feature_map": (3, 1280)},
    ),
    "mobilenet": ({"variant": "small"}, {"stage1": (12, 16), "stage11": (2, 96), "feature_map": (2, 576)}),
    "vgg": (
        {"batch_norm": False, "head": "small"},
        {"relu1_1": (48, 64), "relu2_2": (24, 128), "relu3_3": (12, 256), "relu4_3": (6, 512), "feature_map": (1, 512)},
    ),
}  # fmt: skip


def spec_of(name, options):
    return {
        "task": "classifier",
        "model": {"name": name, **options},
        "classes": ["happy", "sad"],
        "image": {"height": 48, "width": 48, "channels": 1},
        "mean": [0.0],
        "std": [0.5],
    }


@pytest.mark.parametrize("name", MAPS)
def test_every_model_has_its_stages(name):
    options, wanted = MAPS[name]
    spec = spec_of(name, options)
    images = jax.ShapeDtypeStruct((2, 60, 60, 3), jnp.uint8)  # brought to the network's form first
    found = jax.eval_shape(classifier.predict_of(spec)["maps"], classifier.shapes_of(spec), images)
    assert "features" not in found
    for layer, (size, channels) in wanted.items():
        assert found[layer].shape == (2, size, size, channels), layer
    if name != "vgg":
        stages = [layer for layer in found if layer != "feature_map"]
        assert set(stages) == {f"stage{i + 1}" for i in range(len(stages))}


def test_maps_are_those_on_the_way_to_the_logits():
    """The head, applied to the mean of fernet's last map, gives the logits; a later map follows from an earlier one."""
    spec = spec_of("fernet", {"widths": (4, 8), "depths": (1, 1)})
    rng = np.random.default_rng(0)
    variables = jax.tree.map(
        lambda x: (
            rng.uniform(0.5, 1.0, x.shape).astype(np.float32)
            if len(x.shape) == 1
            else rng.normal(0, 0.3, x.shape).astype(np.float32)
        ),
        classifier.shapes_of(spec),
    )
    images = rng.integers(0, 256, (2, 48, 48, 1)).astype(np.uint8)
    predict = classifier.predict_of(spec)
    maps, logits = jax.jit(lambda v, x: (predict["maps"](v, x), predict["logits"](v, x)))(variables, images)
    head = variables["params"]["head"]
    np.testing.assert_allclose(
        maps["stage2"].mean((1, 2)) @ head["kernel"] + head["bias"], logits, rtol=1e-4, atol=1e-5
    )
    np.testing.assert_array_equal(maps["stage2"], maps["feature_map"])
