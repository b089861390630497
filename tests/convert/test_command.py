"""`fergen convert`: from a file of torch to weights that every reference resolves."""

import importlib

import jax
import numpy as np
import pytest
from safetensors.numpy import save_file

from fergen.convert import torchvision
from fergen.core.tree import leaf_names
from fergen.main import main
from fergen.train.restore import restore


@pytest.fixture
def mobilenet(tmp_path):
    """Random MobileNetV3-small weights of 12 classes under torchvision's names."""
    module = importlib.import_module("fergen.models.mobilenet").build(num_classes=12)
    shapes = jax.eval_shape(module.init, jax.random.key(0), np.zeros((1, 64, 64, 3), np.float32))
    names = {"kernel": "weight", "scale": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var"}
    rng, table = np.random.default_rng(0), {}
    for name, leaf in leaf_names(shapes).items():
        _, *path, last = name.split("/")
        value = rng.uniform(0.1, 1, leaf.shape).astype(np.float32)
        value = value.transpose(3, 2, 0, 1) if value.ndim == 4 else value.T
        table[f"{torchvision.foreign_module('/'.join(path))}.{names[last]}"] = np.ascontiguousarray(value)
    path = tmp_path / "mobilenet.safetensors"
    save_file(table, path)
    return path, table


def test_converts_and_reports(mobilenet, tmp_path, capsys):
    path, table = mobilenet
    out = tmp_path / "gray.safetensors"
    arguments = ["convert", "torchvision", str(path), "--model", "mobilenet", "--variant", "small", str(out)]
    assert main([*arguments, "--channels", "1", "--classes", "7", "--size", "48"]) == 0
    printed = capsys.readouterr().out
    assert "summed over 3 input channels" in printed
    assert "the file has [12], this network needs [7]" in printed
    found = restore(out)
    assert found.spec["image"] == {"height": 48, "width": 48, "channels": 1}
    assert len(found.spec["classes"]) == 7
    np.testing.assert_array_equal(found.variables["params"]["classifier_0"]["kernel"], table["classifier.0.weight"].T)
    # The new head is drawn, not empty.
    assert np.std(found.variables["params"]["classifier_3"]["kernel"]) > 0
    assert "mobilenet.safetensors" in found.lineage["weights"].values()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["--model", "resnet"], "no name fits this network"),
        (["--model", "mobilenet", "--variant", "large"], "is it of another architecture or variant?"),
        (["--model", "mobilenet", "--depth", "18"], "unexpected keyword argument 'depth'"),
    ],
)
def test_another_architecture_is_one_line(mobilenet, change, words, tmp_path, capsys):
    out = tmp_path / "out.safetensors"
    assert main(["convert", "torchvision", str(mobilenet[0]), str(out), *change, "--classes", "12"]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert not out.exists()
