"""Whole networks of faces from ONNX files: against onnxruntime, at any batch, their gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from onnx import numpy_helper

from fergen.convert import onnx as reader
from tests.convert.onnx_graphs import drawn, iresnet, mobilefacenet, pooled, saved, theirs

# With the sides of their feature maps.
NETWORKS = {
    "iresnet": (iresnet, [(16, 16), (8, 8)]),
    "mobilefacenet": (mobilefacenet, [(8, 8), (4, 4)]),
    "mobilefacenet of computed shapes": (lambda batch=1: mobilefacenet("computed", batch), [(8, 8), (4, 4)]),
    "pooled": (pooled, [(19, 15), (9, 7), (5, 7), (4, 6), (2, 3)]),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_against_onnxruntime(name, tmp_path):
    build, sides = NETWORKS[name]
    content = build()
    net = reader.read(saved(tmp_path, content))
    images = drawn(1, *net.shape)
    wanted, *maps = theirs(content, images, (net.output, *net.layers))
    found = jax.jit(net.embed)(net.variables, images)
    assert found.shape == (1, net.dim)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
    ours = jax.jit(net.maps)(net.variables, images)
    assert [ours[name].shape[1:3] for name in net.layers] == sides
    for name, expected in zip(net.layers, maps):
        np.testing.assert_allclose(ours[name], expected.transpose(0, 2, 3, 1), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_batch_of_what_was_exported_for_one(name, tmp_path):
    content = NETWORKS[name][0]()
    net = reader.read(saved(tmp_path, content))
    images = drawn(3, *net.shape)
    found = jax.jit(net.embed)(net.variables, images)
    assert np.abs(found[0] - found[1]).max() > 1e-3
    each = [theirs(content, image[None], [net.output])[0][0] for image in images]
    np.testing.assert_allclose(found, each, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("build", [iresnet, lambda batch: mobilefacenet("computed", batch)], ids=["Flatten", "Shape"])
def test_a_batch_of_what_was_exported_for_any(build, tmp_path):
    content = build("n")
    net = reader.read(saved(tmp_path, content))
    images = drawn(3, *net.shape)
    found = jax.jit(net.embed)(net.variables, images)
    np.testing.assert_allclose(found, theirs(content, images, [net.output])[0], rtol=1e-4, atol=1e-4)


def test_weights_are_variables(tmp_path):
    content = iresnet()
    net = reader.read(saved(tmp_path, content))
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in content.graph.initializer}
    assert net.variables.keys() == stored.keys()
    assert all(array.dtype == np.float32 for array in net.variables.values())
    bias = net.nodes[-2].inputs[2]
    moved = {**net.variables, bias: net.variables[bias] + 1}
    images = drawn(1, *net.shape)
    found = net.embed(moved, images) - net.embed(net.variables, images)
    scale, variance = (stored[net.nodes[-1].inputs[i]] for i in (1, 4))
    np.testing.assert_allclose(found[0], scale / np.sqrt(variance + 2e-5), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_are_slopes(name, tmp_path):
    net = reader.read(saved(tmp_path, NETWORKS[name][0]()))
    rng = np.random.default_rng(3)
    with jax.enable_x64(True):
        variables = {name: jnp.asarray(array, jnp.float64) for name, array in net.variables.items()}
        images, directions = (jnp.asarray(rng.normal(size=(4, *net.shape))) for _ in range(2))
        towards = jnp.asarray(rng.normal(size=(4, net.dim)))

        def score(images):
            return (net.embed(variables, images) * towards).sum(1)

        found = (jax.jit(jax.grad(lambda x: score(x).sum()))(images) * directions).sum((1, 2, 3))
        step = 1e-6 * directions
        slopes = jax.jit(lambda x: (score(x + step) - score(x - step)) / 2e-6)(images)
        assert found.dtype == jnp.float64
        assert np.abs(slopes).min() > 1e-4
        np.testing.assert_allclose(found, slopes, rtol=1e-5)
