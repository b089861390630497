"""Self-attention against its formula in numpy."""

import jax
import numpy as np

from fergen.core.tree import leaf_names, nest
from fergen.nn.attention import SelfAttention


def drawn(shapes, scale=0.5):
    """Draw variables with numpy."""
    rng = np.random.default_rng(1)
    named = leaf_names(shapes)
    return nest({name: (scale * rng.normal(size=leaf.shape)).astype(np.float32) for name, leaf in named.items()})


def test_is_the_formula_and_begins_as_the_identity():
    n, h, w, c, head = 2, 3, 4, 16, 8
    module = SelfAttention(head=head, group=8)
    x = np.random.default_rng(0).normal(size=(n, h, w, c)).astype(np.float32)
    key = jax.random.key(0, impl="rbg")
    fresh = jax.jit(module.init)(key, x)
    np.testing.assert_array_equal(module.apply(fresh, x), x)

    variables = drawn(fresh)
    found = jax.jit(module.apply)(variables, x)
    p = variables["params"]
    groups = x.reshape(n, h * w, c // 8, 8).astype(np.float64)
    centred = groups - groups.mean((1, 3), keepdims=True)
    y = (centred / np.sqrt(groups.var((1, 3), keepdims=True) + 1e-6)).reshape(n, h * w, c)
    y = y * p["norm"]["scale"] + p["norm"]["bias"]
    q, k, v = np.split(y @ p["query_key_value"]["kernel"], 3, axis=-1)

    def heads(a, scale=None):
        a = a.reshape(n, h * w, c // head, head).swapaxes(1, 2)
        if scale is not None:
            a = a / np.sqrt(np.square(a).mean(-1, keepdims=True) + 1e-6) * scale
        return a

    q, k, v = heads(q, p["query_norm"]["scale"]), heads(k, p["key_norm"]["scale"]), heads(v)
    scores = np.exp(q @ k.swapaxes(-1, -2) / np.sqrt(head))
    mixed = (scores / scores.sum(-1, keepdims=True)) @ v
    mixed = mixed.swapaxes(1, 2).reshape(n, h, w, c)
    expected = x + mixed @ p["out"]["kernel"] + p["out"]["bias"]
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)
    assert np.abs(found - x).mean() > 0.1

    # Pixels are a set: moving them moves the result with them.
    order = np.random.default_rng(2).permutation(h * w)
    moved = x.reshape(n, h * w, c)[:, order].reshape(x.shape)
    again = np.asarray(jax.jit(module.apply)(variables, moved)).reshape(n, h * w, c)
    np.testing.assert_allclose(again, np.asarray(found).reshape(n, h * w, c)[:, order], rtol=1e-3, atol=1e-4)
