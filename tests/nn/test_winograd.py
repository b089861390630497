"""Winograd's forms of 3x3 convolutions against the definition, in values, gradients of both orders and on devices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from fergen.nn import conv, winograd
from fergen.nn.conv import conv2d

SAME = ((1, 1), (1, 1))
# Channels, output channels and images for which the form is chosen by itself.
PAYS = [(64, 160, (8, 24, 24)), (64, 64, (8, 24, 24)), (64, 96, (8, 23, 24)), (80, 64, (5, 32, 29))]


def draw(*shape, seed=0, dtype=np.float32):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), dtype)


def plain(x, kernel, pads=SAME):
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), pads, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def ours(x, kernel, pads=SAME):
    return conv2d(x, kernel, padding=pads)


def convolutions_in(f, *arguments):
    return str(jax.make_jaxpr(f)(*arguments)).count("conv_general_dilated")


def close(ours, theirs, tolerance):
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * float(jnp.abs(b).max()))


@pytest.mark.parametrize("pads", [SAME, ((0, 0), (0, 0)), ((0, 2), (1, 0)), ((-1, 1), (2, 2))])
@pytest.mark.parametrize("size", [(6, 8), (7, 5)])
@pytest.mark.parametrize("kilobytes", [1, 1000])
def test_both_maps_are_exact_in_double_precision(pads, size, kilobytes, monkeypatch):
    """Whole, and in slices of two images, the last of them padded."""
    for name in ("_FORWARD_BYTES", "_GRADIENT_BYTES"):
        monkeypatch.setattr(winograd, name, 4000 * kilobytes)
    with jax.enable_x64(True):
        x, kernel = draw(5, *size, 4, dtype=np.float64), draw(3, 3, 4, 6, seed=1, dtype=np.float64)
        want, back = jax.vjp(lambda kernel: plain(x, kernel, pads), kernel)
        g = draw(*want.shape, seed=2, dtype=np.float64)
        close(jax.jit(winograd.convolve, static_argnums=2)(x, kernel, pads), want, 1e-12)
        close(jax.jit(winograd.kernel_gradient, static_argnums=2)(x, g, pads), back(g)[0], 1e-12)


@pytest.mark.parametrize(("channels", "filters", "images"), PAYS)
def test_where_it_pays_a_layer_has_it_in_all_its_derivatives(channels, filters, images):
    x, kernel = draw(*images, channels), draw(3, 3, channels, filters, seed=1) / np.sqrt(9 * channels)

    def loss(form):
        return lambda x, kernel: jnp.sum(jnp.sin(form(x, kernel)))

    def penalty(form):
        """R1's form: the squared norm of the gradient with respect to the images."""
        return lambda x, kernel: jnp.sum(jax.grad(loss(form))(x, kernel) ** 2)

    close(jax.jit(ours)(x, kernel), plain(x, kernel), 1e-5)
    for of in (loss, penalty):
        gradient = jax.grad(of(ours), (0, 1))
        assert convolutions_in(gradient, x, kernel) == 0
        close(jax.jit(gradient)(x, kernel), jax.jit(jax.grad(of(plain), (0, 1)))(x, kernel), 1e-4)


@pytest.mark.parametrize(
    ("x", "filters"),
    [
        (jnp.zeros((8, 24, 24, 32)), 64),  # few channels
        (jnp.zeros((1, 24, 24, 64)), 64),  # one image
        (jnp.zeros((8, 24, 24, 64), jnp.bfloat16), 64),
    ],
)
def test_elsewhere_it_is_left_to_the_compiler(x, filters):
    kernel = jnp.zeros((3, 3, x.shape[-1], filters), x.dtype)
    assert not winograd.pays(x, filters, SAME)
    assert convolutions_in(ours, x, kernel) == 1


def test_an_exported_batch_of_unknown_size_is_left_to_the_compiler():
    batch = jax.export.symbolic_shape("b")
    x = jax.ShapeDtypeStruct((*batch, 24, 24, 64), jnp.float32)
    kernel = draw(3, 3, 64, 64)
    exported = jax.export.export(jax.jit(lambda x: jax.grad(lambda x: ours(x, kernel).sum())(x)))(x)
    images = draw(9, 24, 24, 64, seed=1)
    close(exported.call(images), jax.grad(lambda x: plain(x, kernel).sum())(images), 1e-5)


def test_an_accelerator_keeps_its_own_form(monkeypatch):
    monkeypatch.setattr(conv.target, "platform", lambda: "gpu")
    x = draw(1, 64, 64, 64)
    assert winograd.pays(x, 64, SAME)
    assert convolutions_in(ours, x, draw(3, 3, 64, 64)) == 1


def test_a_batch_over_eight_devices_gives_what_one_does():
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,))
    x, kernel = draw(16, 16, 16, 64), draw(3, 3, 64, 64, seed=1) / 24
    gradient = jax.jit(jax.value_and_grad(lambda x, kernel: jnp.sum(jnp.sin(ours(x, kernel))), (0, 1)))
    sharded = jax.device_put(x, NamedSharding(mesh, PartitionSpec("data")))
    everywhere = jax.device_put(kernel, NamedSharding(mesh, PartitionSpec()))
    got = jax.block_until_ready(gradient(sharded, everywhere))
    assert len(got[1][0].sharding.device_set) == 8
    close(got, gradient(x, kernel), 1e-4)


def test_vmap_equals_a_loop():
    x, kernels = draw(2, 8, 24, 24, 64), draw(2, 3, 3, 64, 64, seed=1)

    def gradients(x, kernel):
        return jax.grad(lambda x, kernel: jnp.sum(ours(x, kernel) ** 2), (0, 1))(x, kernel)

    looped = [jax.jit(gradients)(a, b) for a, b in zip(x, kernels, strict=True)]
    close(jax.jit(jax.vmap(gradients))(x, kernels), jax.tree.map(lambda *leaves: jnp.stack(leaves), *looped), 1e-4)
