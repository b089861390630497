"""FID's Inception v3 from the names of its usual PyTorch copy: read whole, and refused when it is another network."""

import jax
import numpy as np
import pytest
from safetensors.numpy import save_file

from fergen.convert import inception, tables
from fergen.convert.match import LEAVES
from fergen.core.errors import BadInput
from fergen.core.tree import leaf_names
from fergen.main import main
from fergen.models import inception_v3
from fergen.train import feature_spaces

# Of the copy, by hand: the parts whose names and shapes differ most.
KNOWN = {
    "Conv2d_1a_3x3.conv.weight": (32, 3, 3, 3),
    "Conv2d_4a_3x3.bn.running_var": (192,),
    "Mixed_5b.branch5x5_2.conv.weight": (64, 48, 5, 5),
    "Mixed_5c.branch_pool.conv.weight": (64, 256, 1, 1),
    "Mixed_6a.branch3x3.conv.weight": (384, 288, 3, 3),
    "Mixed_6b.branch7x7_2.conv.weight": (128, 128, 1, 7),
    "Mixed_6e.branch7x7dbl_5.conv.weight": (192, 192, 1, 7),
    "Mixed_6d.branch7x7dbl_4.conv.weight": (160, 160, 7, 1),
    "Mixed_7a.branch7x7x3_3.conv.weight": (192, 192, 7, 1),
    "Mixed_7b.branch3x3_2a.conv.weight": (384, 384, 1, 3),
    "Mixed_7c.branch3x3dbl_3b.conv.weight": (384, 384, 3, 1),
    "Mixed_7c.branch_pool.bn.weight": (192,),
    "fc.weight": (1008, 2048),
    "fc.bias": (1008,),
}


@pytest.fixture(scope="module")
def shapes():
    x = jax.ShapeDtypeStruct((1, 75, 75, 3), "float32")
    return jax.eval_shape(inception_v3.build().init, jax.random.key(0), x)


@pytest.fixture(scope="module")
def table(shapes):
    """A whole state dict of random numbers, a counter of batches included."""
    rng, found = np.random.default_rng(0), {"Conv2d_1a_3x3.bn.num_batches_tracked": np.array(0)}
    for name, leaf in leaf_names(shapes).items():
        _, *path, last = name.split("/")
        value = rng.random(leaf.shape, np.float32)
        value = value.transpose(3, 2, 0, 1) if value.ndim == 4 else value.T
        found[f"{inception.foreign_module('/'.join(path))}.{LEAVES[last]}"] = value
    return found


def load(table, shapes, monkeypatch):
    monkeypatch.setattr(tables, "read", lambda path: table)
    empty = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
    return inception.load(empty, "file.pth")


def test_names_are_the_copys(table):
    assert {name: table[name].shape for name in KNOWN} == KNOWN


def test_what_is_missing_and_unused_is_told(table, shapes, monkeypatch):
    other = {**table, "AuxLogits.fc.bias": np.zeros(1000)}
    del other["Mixed_6c.branch7x7_1.bn.running_mean"]
    variables, report = load(other, shapes, monkeypatch)
    assert report.missing == ["batch_stats/Mixed_6c/branch7x7_1/bn/mean"]
    assert (report.unused, report.counters) == (["AuxLogits.fc.bias"], 1)
    assert len(report.loaded) == 94 * 5 + 2 - 1
    kernel = variables["params"]["Mixed_6b"]["branch7x7_2"]["conv"]["kernel"]
    np.testing.assert_array_equal(kernel[0, 5], table["Mixed_6b.branch7x7_2.conv.weight"][:, :, 0, 5].T)


def test_the_network_of_the_libraries_is_refused_by_its_head(table, shapes, monkeypatch):
    usual = {**table, "fc.weight": np.zeros((1000, 2048)), "fc.bias": np.zeros(1000)}
    with pytest.raises(BadInput, match=r"fc.*expected \[(2048, )?1008\], found \[(2048, )?1000\].*architecture"):
        load(usual, shapes, monkeypatch)


def test_the_graph_subtracts_128():
    (mean,), (std,) = inception.normalisation(1)
    pixels = np.arange(256)
    np.testing.assert_allclose(((pixels / 127.5 - 1) - mean) / std, (pixels - 128) / 128, atol=1e-12)


def test_the_command_makes_a_feature_space(table, tmp_path, capsys):
    file, out = tmp_path / "copy.safetensors", tmp_path / "mine.safetensors"
    save_file({name: np.ascontiguousarray(value) for name, value in table.items()}, file)
    assert main(["convert", "inception", str(file), str(out)]) == 0
    printed = capsys.readouterr().out
    assert "472 of 472 leaves loaded as they are; 1 batch counters" in printed
    space = feature_spaces.load(out)
    assert (space.name, space.dim) == ("inception", 2048)
    assert space.hash[:12] in printed
    assert {"copy.safetensors", "mine.safetensors"} == set(space.lineage["weights"].values())
    np.testing.assert_array_equal(space.variables["params"]["fc"]["kernel"], table["fc.weight"].T)
