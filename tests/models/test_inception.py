"""FID's Inception v3: shapes, the pools in which it differs from the usual one, and its resize in closed form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fergen.core.errors import BadInput
from fergen.core.tree import count, leaf_names
from fergen.models import inception_v3
from fergen.models.inception_v3 import tf1_bilinear


def shapes(size, **options):
    module = inception_v3.build(**options)
    x = jax.ShapeDtypeStruct((2, size, size, 3), jnp.float32)
    return jax.eval_shape(lambda key, x: module.init_with_output(key, x, mutable=True), jax.random.key(0), x)


def test_shapes_types_and_count():
    logits, seen = shapes(299, dtype=jnp.bfloat16)
    sown = seen.pop("intermediates")
    assert {leaf.dtype for leaf in jax.tree.leaves(seen)} == {jnp.dtype("float32")}
    assert (logits.shape, logits.dtype) == ((2, 1008), jnp.float32)
    assert (sown["feature_map"][0].shape, sown["feature_map"][0].dtype) == ((2, 8, 8, 2048), jnp.bfloat16)
    assert (sown["features"][0].shape, sown["features"][0].dtype) == ((2, 2048), jnp.float32)
    # Published of the 1,000-class network without its auxiliary head: 23,834,568; a class has 2,049.
    assert count(seen["params"]) == 23_834_568 + 8 * 2049
    # 94 convolutions with two affine parameters each, and the dense layer.
    assert len(leaf_names(seen["params"])) == 94 * 3 + 2


def test_smallest_image_and_kinds_of_the_last_blocks(monkeypatch):
    taken, kept = [], inception_v3.BlockE

    def watched(maximum, unit, name):
        taken.append((name, maximum))
        return kept(maximum, unit, name=name)

    monkeypatch.setattr(inception_v3, "BlockE", watched)
    _, seen = shapes(75)
    assert seen["intermediates"]["feature_map"][0].shape == (2, 1, 1, 2048)
    assert taken == [("Mixed_7b", False), ("Mixed_7c", True)]
    with pytest.raises(BadInput, match="at least 75x75 pixels, found 74x74"):
        shapes(74)


def neighbours(x, i, j):
    """The pixels of a map [h, w] within one of (i, j)."""
    return x[max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2]


def test_average_leaves_the_padding_out():
    x = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    expected = [[neighbours(x, i, j).mean() for j in range(5)] for i in range(4)]
    np.testing.assert_allclose(inception_v3.average(x[None, :, :, None])[0, :, :, 0], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("maximum", "pool"), [(True, np.max), (False, np.mean)])
def test_pool_of_the_last_blocks(maximum, pool):
    # Units that pass on what they get leave the branches bare: five copies of the input, then the pool.
    block = inception_v3.BlockE(maximum, lambda features, window, name: lambda x: x)
    x = -np.random.default_rng(0).uniform(1, 2, (4, 5)).astype(np.float32)
    out = block.apply({}, x[None, :, :, None])[0]
    np.testing.assert_array_equal(out[..., :5], np.repeat(x[..., None], 5, axis=-1))
    expected = [[pool(neighbours(x, i, j)) for j in range(5)] for i in range(4)]
    np.testing.assert_allclose(out[..., 5], expected, rtol=1e-5)


@pytest.mark.parametrize("shape", [(48, 48), (37, 64), (299, 299), (350, 601)])
def test_tf1_bilinear_is_its_formula(shape):
    images = np.random.default_rng(0).uniform(-1, 1, (2, *shape, 3)).astype(np.float32)
    found = np.asarray(jax.jit(tf1_bilinear)(images))
    # In double precision; the graph's single precision moves positions by up to 4e-5 of a pixel.
    (i, v), (j, u) = (np.divmod(np.arange(299) * (n / 299), 1) for n in shape)
    top, left = i.astype(int), j.astype(int)
    bottom, right = np.minimum(top + 1, shape[0] - 1), np.minimum(left + 1, shape[1] - 1)
    v, u = v[:, None, None], u[:, None]
    upper = images[:, top][:, :, left] * (1 - u) + images[:, top][:, :, right] * u
    lower = images[:, bottom][:, :, left] * (1 - u) + images[:, bottom][:, :, right] * u
    np.testing.assert_allclose(found, upper * (1 - v) + lower * v, atol=5e-4)
    np.testing.assert_array_equal(found[:, 0, 0], images[:, 0, 0])
    if shape == (299, 299):
        np.testing.assert_array_equal(found, images)


def test_tf1_bilinear_of_a_ramp():
    ramp = np.tile(np.arange(48, dtype=np.float32)[None, None, :, None], (1, 48, 1, 1))
    row = np.asarray(tf1_bilinear(jnp.asarray(ramp)))[0, 100, :, 0]
    np.testing.assert_allclose(row, np.minimum(np.arange(299) * 48 / 299, 47), rtol=1e-5)
    # The resize of today, with the pixels' middles in place, is another one.
    usual = jax.image.resize(ramp, (1, 299, 299, 1), "bilinear")[0, 100, :, 0]
    assert np.abs(row[50:200] - usual[50:200]).min() > 0.4
