"""Squeeze-excite, stochastic depth and the convolution pair, in closed form."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fergen.nn.conv_norm import ConvNorm
from fergen.nn.drop_path import DropPath
from fergen.nn.squeeze_excite import SqueezeExcite


def test_squeeze_excite_is_its_formula():
    x = np.random.default_rng(0).normal(size=(2, 4, 5, 6)).astype(np.float32)
    module = SqueezeExcite(3)
    variables = module.init(jax.random.key(0), x)
    first, second = variables["params"]["fc1"], variables["params"]["fc2"]
    hidden = np.maximum(x.mean((1, 2)) @ first["kernel"][0, 0] + first["bias"], 0)
    gate = 1 / (1 + np.exp(-(hidden @ second["kernel"][0, 0] + second["bias"])))
    np.testing.assert_allclose(module.apply(variables, x), x * gate[:, None, None], rtol=1e-5, atol=1e-6)


def test_drop_path_keeps_or_drops_whole_images_and_the_mean():
    x = jnp.ones((4000, 2, 2, 3))
    y = DropPath(0.25).apply({}, x, train=True, rngs={"dropout": jax.random.key(0)})
    rows = np.asarray(y).reshape(4000, -1)
    assert (rows == rows[:, :1]).all()
    np.testing.assert_allclose(np.unique(rows), [0, 4 / 3], rtol=1e-6)
    # Four standard errors of a kept image's indicator, sqrt(.25 * .75 / 4000) = .0068.
    assert abs((rows[:, 0] > 0).mean() - 0.75) < 0.028


@pytest.mark.parametrize(("rate", "train"), [(0.9, False), (0.0, True)])
def test_drop_path_off(rate, train):
    x = jnp.arange(6.0).reshape(3, 2)
    assert DropPath(rate).apply({}, x, train=train) is x


class Pair(nn.Module):
    layer: ConvNorm

    @nn.compact
    def __call__(self, x):
        return self.layer(x, 4, 3, ("conv", "norm"), stride=2)


@pytest.mark.parametrize(("same", "start"), [(True, 0), (False, -1)])
def test_conv_norm_pads_and_normalises(same, start):
    # On an even size a stride of 2 tells both paddings apart: the first window begins at pixel 0 or at -1.
    x = np.random.default_rng(0).normal(size=(2, 6, 6, 2)).astype(np.float32)
    module = Pair(ConvNorm(train=True, same=same))
    variables = module.init(jax.random.key(0), x)
    assert set(variables["params"]["conv"]) == {"kernel"}
    y, moved = module.apply(variables, x, mutable=["batch_stats"])
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))[:, 1 + start :, 1 + start :]
    kernel = np.asarray(variables["params"]["conv"]["kernel"])
    expected = np.array(
        [
            [[np.tensordot(image[2 * i : 2 * i + 3, 2 * j : 2 * j + 3], kernel, 3) for j in range(3)] for i in range(3)]
            for image in padded
        ]
    )
    mean, var = expected.mean((0, 1, 2)), expected.var((0, 1, 2))
    np.testing.assert_allclose(y, (expected - mean) / np.sqrt(var + 1e-5), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(moved["batch_stats"]["norm"]["mean"], 0.1 * mean, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(moved["batch_stats"]["norm"]["var"], 0.9 + 0.1 * var, rtol=1e-4)
