"""Laying a table over our variables: every leaf accounted for."""

import importlib

import jax
import numpy as np
import pytest
from safetensors.numpy import save_file

from fergen.convert import efficientnet_lite, torchvision
from fergen.core.errors import BadInput
from fergen.core.tree import leaf_names


def empty(name, channels=3, classes=10, **options):
    module = importlib.import_module(f"fergen.models.{name}").build(num_classes=classes, **options)
    x = jax.ShapeDtypeStruct((1, 32, 32, channels), np.float32)
    shapes = jax.eval_shape(module.init, jax.random.key(0), x)
    return jax.tree.map(lambda leaf: np.full(leaf.shape, 7, leaf.dtype), shapes)


@pytest.fixture(scope="module")
def table():
    """A ResNet18 of 10 classes under the names that torchvision publishes, written down by hand."""
    rng = np.random.default_rng(0)
    shapes = {"conv1.weight": (64, 3, 7, 7), "fc.weight": (10, 512), "fc.bias": (10,)}
    norms = {"bn1": 64}
    for n, width in enumerate((64, 128, 256, 512), 1):
        before = 64 if n == 1 else width // 2
        for i in (0, 1):
            shapes[f"layer{n}.{i}.conv1.weight"] = (width, before if i == 0 else width, 3, 3)
            shapes[f"layer{n}.{i}.conv2.weight"] = (width, width, 3, 3)
            norms |= {f"layer{n}.{i}.bn1": width, f"layer{n}.{i}.bn2": width}
        if n > 1:
            shapes[f"layer{n}.0.downsample.0.weight"] = (width, before, 1, 1)
            norms[f"layer{n}.0.downsample.1"] = width
    for norm, width in norms.items():
        shapes |= {f"{norm}.{leaf}": (width,) for leaf in ("weight", "bias", "running_mean", "running_var")}
        shapes[f"{norm}.num_batches_tracked"] = ()
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def save(folder, table, name="weights.safetensors"):
    path = folder / name
    if path.suffix == ".npz":
        np.savez(path, **table)
    else:
        save_file({name: np.ascontiguousarray(array) for name, array in table.items()}, path)
    return path


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.npz"])
def test_all_leaves_in_our_layout(table, name, tmp_path):
    variables, report = torchvision.load(save(tmp_path, table, name), "resnet", empty("resnet"))
    assert len(report.loaded) == 102
    assert (report.missing, report.unused, report.adapted, report.replaced) == ([], [], {}, {})
    assert report.counters == 20
    named = leaf_names(variables)
    conv = table["layer3.0.downsample.0.weight"]
    np.testing.assert_array_equal(named["params/layer3_0/downsample_0/kernel"], conv.transpose(2, 3, 1, 0))
    np.testing.assert_array_equal(named["params/fc/kernel"], table["fc.weight"].T)
    np.testing.assert_array_equal(named["params/bn1/scale"], table["bn1.weight"])
    np.testing.assert_array_equal(named["batch_stats/layer2_1/bn2/var"], table["layer2.1.bn2.running_var"])


def test_gray_images_and_another_head(table, tmp_path):
    variables, report = torchvision.load(save(tmp_path, table), "resnet", empty("resnet", channels=1, classes=7))
    assert list(report.adapted) == ["params/conv1/kernel"]
    assert sorted(report.replaced) == ["params/fc/bias", "params/fc/kernel"]
    assert "summed over 3 input channels" in str(report)
    assert "the file has [512, 10], this network needs [512, 7]" in str(report)
    kernel = variables["params"]["conv1"]["kernel"]
    # A gray image answers as the same image in three equal channels does.
    np.testing.assert_allclose(kernel[:, :, 0], table["conv1.weight"].sum(1).transpose(1, 2, 0), rtol=1e-6)
    assert (variables["params"]["fc"]["kernel"] == 7).all()


def test_small_stem_keeps_its_own_kernel(table, tmp_path):
    _, report = torchvision.load(save(tmp_path, table), "resnet", empty("resnet", stem="small"))
    assert list(report.replaced) == ["params/conv1/kernel"]


def test_missing_and_unused_are_named(table, tmp_path):
    changed = {k: v for k, v in table.items() if k not in ("layer1.0.conv1.weight", "bn1.running_mean")}
    changed["aux.weight"] = np.zeros(3, np.float32)
    variables, report = torchvision.load(save(tmp_path, changed), "resnet", empty("resnet"))
    assert sorted(report.missing) == ["batch_stats/bn1/mean", "params/layer1_0/conv1/kernel"]
    assert report.unused == ["aux.weight"]
    assert "missing   params/layer1_0/conv1/kernel" in str(report)
    assert "unused    aux.weight" in str(report)
    assert (variables["params"]["layer1_0"]["conv1"]["kernel"] == 7).all()


def test_parallel_wrapper_is_taken_off(table, tmp_path):
    wrapped = {f"module.{name}": array for name, array in table.items()}
    _, report = torchvision.load(save(tmp_path, wrapped), "resnet", empty("resnet"))
    assert len(report.loaded) == 102


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: {"x.weight": np.ones(3, np.float32)}, "no name fits.*found x.weight"),
        (lambda t: t | {"layer1.0.conv1.weight": np.ones((64, 64, 5, 5), np.float32)},
         r"layer1.0.conv1.weight.*expected \[3, 3, 64, 64\], found \[5, 5, 64, 64\]"),
        (lambda t: t | {"layer1.0.bn1.bias": np.full(64, np.nan, np.float32)}, "layer1.0.bn1.bias.*not finite"),
    ],
)  # fmt: skip
def test_what_cannot_fit_is_refused(table, change, words, tmp_path):
    with pytest.raises(BadInput, match=words):
        torchvision.load(save(tmp_path, change(table)), "resnet", empty("resnet"))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("layer1_0/downsample_1", "layer1.0.downsample.1"),
        ("features_1_0/block_2_1", "features.1.0.block.2.1"),
        ("features_4/block_1/fc1", "features.4.block.1.fc1"),
        ("classifier_6", "classifier.6"),
    ],
)
def test_torchvision_names(ours, theirs):
    assert torchvision.foreign_module(ours) == theirs


def test_lite_names():
    assert efficientnet_lite.foreign_module("blocks_12/depthwise_conv") == "_blocks.12._depthwise_conv"
    assert efficientnet_lite.foreign_module("conv_stem") == "_conv_stem"


def test_normalisation_is_that_of_bytes():
    pixels = np.array([[0, 127, 255]], np.uint8)
    image = pixels.astype(np.float32) / 127.5 - 1
    mean, std = torchvision.normalisation(3)
    np.testing.assert_allclose(
        (image - mean) / std, (pixels / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225], rtol=1e-5, atol=1e-6
    )
    mean, std = efficientnet_lite.normalisation(3)
    np.testing.assert_allclose((image - mean) / std, (pixels - 127.0) / 128, rtol=1e-5, atol=1e-6)
