"""The transposed convolution against flax's and lax's, in values, gradients, and both of its forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from fergen.nn import conv_transpose as layer
from fergen.nn.conv_transpose import ConvTranspose, plain, subpixel


def draw(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def close(ours, theirs, tolerance=1e-4):
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * max(1.0, float(jnp.abs(b).max())))


def by_hand(x, kernel):
    """Every input pixel adds its kernel, turned by 180 degrees, around the 2x2 output pixels that it becomes."""
    n, h, w, _ = x.shape
    turned = np.asarray(kernel)[::-1, ::-1]
    wide = np.zeros((n, 2 * h + 2, 2 * w + 2, kernel.shape[3]))
    for i in range(h):
        for j in range(w):
            wide[:, 2 * i : 2 * i + 4, 2 * j : 2 * j + 4] += np.einsum("ni,uvio->nuvo", x[:, i, j], turned)
    return wide[:, 1:-1, 1:-1]


@pytest.mark.parametrize(("h", "w"), [(1, 1), (3, 4), (6, 5)])
def test_both_forms_are_the_sum_of_what_pixels_add(h, w):
    x, kernel = draw(2, h, w, 3), draw(4, 4, 3, 5, seed=1)
    expected = by_hand(np.asarray(x), kernel)
    for form in (plain, subpixel):
        np.testing.assert_allclose(jax.jit(form)(x, kernel), expected, rtol=1e-4, atol=1e-4)


def test_gradients_of_both_orders_agree():
    """Also second gradients: a penalty on a critic may stand behind a generator."""
    x, kernel = draw(3, 3, 4, 2), draw(4, 4, 2, 3, seed=1)

    def curved(form):
        return lambda x, kernel: jnp.sum(jnp.sin(form(x, kernel)))

    def penalty(form):
        return lambda x, kernel: jnp.sum(jax.grad(curved(form))(x, kernel) ** 2)

    for value in (curved, penalty):
        ours, theirs = (jax.jit(jax.value_and_grad(value(form), (0, 1)))(x, kernel) for form in (subpixel, plain))
        close(ours, theirs)


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("dtype", [None, jnp.bfloat16])
@pytest.mark.parametrize("backend", ["cpu", "gpu"])
def test_the_layer_is_that_of_flax(use_bias, dtype, backend, monkeypatch):
    """Names, shapes, types and results; on other backends too, for which the plain form runs here."""
    taken = []
    for name in ("subpixel", "plain"):
        form = getattr(layer, name)
        monkeypatch.setattr(layer, name, lambda *a, form=form, name=name: (taken.append(name), form(*a))[1])
    ours = ConvTranspose(5, use_bias, dtype)
    theirs = nn.ConvTranspose(5, (4, 4), (2, 2), use_bias=use_bias, dtype=dtype)
    x = draw(2, 3, 4, 3)
    variables = jax.jit(theirs.init)(jax.random.key(0), x)
    variables = jax.tree.map(lambda v: v + 0.1, variables)  # a bias that is not zero
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    assert jax.tree.map(jnp.shape, jax.jit(ours.init)(jax.random.key(0), x)) == jax.tree.map(jnp.shape, variables)
    found, expected = ours.apply(variables, x), theirs.apply(variables, x)
    assert set(taken) == {"subpixel" if backend == "cpu" else "plain"}
    assert found.dtype == expected.dtype
    tolerance = 1e-5 if dtype is None else 3e-2
    np.testing.assert_allclose(
        found.astype(jnp.float32), expected.astype(jnp.float32), rtol=tolerance, atol=3 * tolerance
    )


def test_no_product_is_with_zero():
    """The sub-pixel form multiplies (h + 1)(w + 1) windows of 2x2 by four times the channels, and nothing else."""
    from fergen.train.flops import flops

    x, kernel = draw(2, 6, 6, 8), draw(4, 4, 8, 4)
    assert flops(subpixel, x, kernel) == 2 * 2 * 7 * 7 * (2 * 2 * 8) * (4 * 4)


def test_parities_are_taken_apart_by_the_transpose_of_what_joins_them():
    """<join z, y> = <z, part y>, and so in derivatives of both orders."""
    z, y = draw(2, 4, 6, 12), draw(2, 6, 10, 3, seed=1)
    joined, back = jax.vjp(layer.interleave, z)
    assert joined.shape == y.shape
    assert float(jnp.vdot(joined, y)) == pytest.approx(float(jnp.vdot(z, layer.part(y))), rel=1e-5)
    np.testing.assert_array_equal(back(y)[0], layer.part(y))
    np.testing.assert_array_equal(jax.vjp(layer.part, y)[1](z)[0], joined)
