"""ONNX files as feature spaces: what they are given, and what comes back."""

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import pytest

from fergen.convert import onnx as reader
from fergen.core.errors import BadInput
from fergen.core.paths import file_hash
from fergen.core.tree import tree_hash
from fergen.train import feature_spaces
from tests.convert.onnx_graphs import drawn, iresnet, mobilefacenet, node, saved, small, theirs

GRAY = np.random.default_rng(4).integers(0, 256, (3, 48, 48, 1), np.uint8)


def test_a_feature_space(tmp_path):
    content = iresnet()
    path = saved(tmp_path, content, "arcface.onnx")
    space = feature_spaces.load(path)
    assert (space.name, space.dim, space.hash) == ("arcface", 10, tree_hash(space.variables))
    assert space.lineage == {
        "weights": dict.fromkeys(sorted([space.hash, file_hash(path)]), "arcface.onnx"),
        "data": {},
    }
    found = jax.jit(space.fn)(space.variables, GRAY)
    assert (found.shape, found.dtype) == ((3, 10), jnp.float32)
    small = jax.image.resize(GRAY / np.float32(127.5) - 1, (3, 16, 16, 1), "linear")
    read = np.asarray(small).repeat(3, -1).transpose(0, 3, 1, 2)
    wanted = [theirs(content, image[None], [content.graph.output[0].name])[0][0] for image in read]
    assert np.abs(wanted[0] - wanted[1]).max() > 0.01
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
    assert sorted(x.shape for x in space.maps(space.variables, jnp.asarray(GRAY)).values()) == [
        (3, 8, 8, 12),
        (3, 16, 16, 12),
    ]


def test_a_feature_space_has_gradients(tmp_path):
    space = feature_spaces.load(saved(tmp_path, mobilefacenet()))
    images = jnp.asarray(drawn(3, 20, 24, 3))
    away = space.fn(space.variables, images[::-1])
    slopes = jax.jit(jax.grad(lambda x: (space.fn(space.variables, x) * away).sum()))(images)
    step = 1e-2 * slopes / jnp.linalg.norm(slopes)
    apart = [(space.fn(space.variables, x) * away).sum() for x in (images + step, images - step)]
    np.testing.assert_allclose((apart[0] - apart[1]) / 2e-2, jnp.linalg.norm(slopes), rtol=1e-2)


# Nodes before a convolution, the weights that they use, and whether they want pixels in [0, 255].
BEFORE = {
    "MXNet": ([node("Sub", "x a", "d"), node("Mul", "d b", "z")], {"a": [127.5], "b": [0.0078125]}, True),
    "PyTorch": ([node("Div", "x a", "d"), node("Sub", "d b", "z")], {"a": 127.5, "b": 1.0}, True),
    "added": (
        [node("Add", "x a", "d"), node("Mul", "b d", "z")],
        {"a": np.full((3, 1, 1), -127.5), "b": 1 / 128},
        True,
    ),
    "scaled": ([node("Mul", "x a", "d"), node("Sub", "d b", "z")], {"a": 1 / 127.5, "b": 1.0}, True),
    "constants": (
        [node("Constant", "", "a", value_float=127.5), node("Constant", "", "b", value_floats=[0.01])]
        + [node("Shape", "x", "s"), node("Identity", "x", "i"), node("Sub", "i a", "d"), node("Mul", "d b", "z")],
        {},
        True,
    ),
    "of another kind": ([node("Sub", "x a", "d"), node("Div", "d b", "z")], {"a": 0.5, "b": 0.25}, False),
    "by itself": ([node("Mul", "x x", "z")], {}, False),
}


@pytest.mark.parametrize("case", BEFORE)
def test_pixels_for_a_graph_that_normalises_them(case, tmp_path):
    nodes, weights, pixels = BEFORE[case]
    content = small(nodes, {name: np.float32(value) for name, value in weights.items()}, source="z")
    space = feature_spaces.load(saved(tmp_path, content))
    images = np.random.default_rng(5).integers(0, 256, (1, 12, 10, 3), np.uint8)
    read = images.astype(np.float32) if pixels else images / np.float32(127.5) - 1
    wanted = theirs(content, np.ascontiguousarray(read.transpose(0, 3, 1, 2)))[0].reshape(1, -1)
    np.testing.assert_allclose(space.fn(space.variables, images), wanted, rtol=1e-3, atol=1e-4)


def test_channels_last(tmp_path):
    content = small([node("Transpose", "x", "t", perm=[0, 3, 1, 2])], shape=("n", 12, 10, 3), source="t")
    net = reader.read(saved(tmp_path, content))
    assert net.shape == (3, 12, 10)
    images = drawn(2, 12, 10, 3)
    wanted = theirs(content, images)[0].reshape(2, -1)
    np.testing.assert_allclose(net.embed(net.variables, images.transpose(0, 3, 1, 2)), wanted, rtol=1e-4, atol=1e-5)


def test_one_channel_reads_luma(tmp_path):
    content = small(shape=(1, 1, 12, 10), channels=1)
    space = feature_spaces.load(saved(tmp_path, content))
    images = drawn(1, 12, 10, 3)
    luma = np.float32(images @ [0.299, 0.587, 0.114])
    wanted = theirs(content, luma[:, None])[0].reshape(1, -1)
    np.testing.assert_allclose(space.fn(space.variables, images), wanted, rtol=1e-3, atol=1e-5)


def test_an_open_size_is_112(tmp_path):
    net = reader.read(saved(tmp_path, small(shape=("n", 3, None, -1))))
    assert net.shape == (3, 112, 112)


def test_the_first_output_alone_is_read(tmp_path):
    content = small()
    content.graph.node.append(node("LSTM", "y", "z"))
    content.graph.output.append(onnx.ValueInfoProto(name="z"))
    assert reader.read(saved(tmp_path, content)).outputs == ("c", "y")


def test_weights_beside_the_file(tmp_path):
    inside = reader.read(saved(tmp_path, iresnet()))
    path = tmp_path / "outside.onnx"
    onnx.save(iresnet(), str(path), save_as_external_data=True, location="outside.bin", size_threshold=0)
    outside = reader.read(path)
    assert tree_hash(outside.variables) == tree_hash(inside.variables)
    (tmp_path / "outside.bin").unlink()
    with pytest.raises(BadInput, match="damaged or that is missing.*outside.bin"):
        reader.read(path)
