"""The convolution layer against flax's, in values, gradients of both orders, batching and sharding."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from fergen.nn import conv, winograd
from fergen.nn.conv import Conv, conv2d

CASES = [
    # window, strides, padding, rows, columns
    (1, 1, "SAME", 7, 8),
    (1, 2, "VALID", 7, 8),
    (3, 1, "SAME", 8, 8),
    (3, 1, "SAME", 7, 9),
    (3, 1, "VALID", 8, 6),
    (3, 1, ((0, 2), (1, 0)), 7, 8),
    (3, 2, "SAME", 9, 8),
    (3, 2, 1, 8, 8),
    (4, 1, "VALID", 9, 8),
    (4, 2, "SAME", 9, 10),
    (5, 1, "SAME", 8, 7),
    (5, 2, 2, 8, 8),
    (7, 2, ((3, 3), (3, 3)), 10, 12),
]


def draw(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def close(ours, theirs, tolerance=2e-4):
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * max(1.0, float(jnp.abs(b).max())))


def curved(module):
    """A scalar of parameters and images with curvature, so that second gradients are not zero."""
    return lambda variables, x: jnp.sum(jnp.sin(module.apply(variables, x)))


def penalty(module):
    """R1's form: the squared norm of the gradient with respect to the images."""
    return lambda variables, x: jnp.sum(jax.grad(curved(module), 1)(variables, x) ** 2)


@pytest.fixture
def two_images_per_slice(monkeypatch):
    """Cut the batch of 5 into slices (of two, one of them padded) as a large batch would be."""
    monkeypatch.setattr(conv, "_CACHE_BYTES", 2000)  # an image of the test below takes 896
    monkeypatch.setattr(winograd, "_GRADIENT_BYTES", 2700)  # its gradient 1,344


@pytest.mark.parametrize(("window", "strides", "padding", "rows", "columns"), CASES)
@pytest.mark.parametrize("use_bias", [True, False])
def test_equals_flax_in_value_and_both_gradients(window, strides, padding, rows, columns, use_bias):
    ours = Conv(4, window, strides, padding, use_bias)
    theirs = nn.Conv(4, (window, window), strides, padding, use_bias=use_bias)
    x = draw(5, rows, columns, 3)
    variables = jax.jit(theirs.init)(jax.random.key(1), x)
    same = jax.tree.map(jnp.array_equal, jax.jit(ours.init)(jax.random.key(1), x), variables)
    assert all(jax.tree.leaves(same))
    close(ours.apply(variables, x), theirs.apply(variables, x), 1e-5)
    of = [jax.jit(jax.value_and_grad(curved(m), (0, 1)))(variables, x) for m in (ours, theirs)]
    close(*of)


@pytest.mark.parametrize(("window", "strides", "padding", "rows", "columns"), [CASES[i] for i in (2, 3, 5, 6, 9)])
def test_second_gradients_equal_flax(window, strides, padding, rows, columns):
    ours, theirs = Conv(4, window, strides, padding), nn.Conv(4, (window, window), strides, padding)
    x = draw(3, rows, columns, 3)
    variables = jax.jit(theirs.init)(jax.random.key(1), x)
    close(*[jax.jit(jax.grad(penalty(m), (0, 1)))(variables, x) for m in (ours, theirs)])


@pytest.mark.parametrize(("window", "strides"), [(3, 1), (3, 2), (5, 1)])
def test_slices_of_the_batch_add_up(two_images_per_slice, window, strides):
    x, kernel = draw(5, 8, 7, 4), draw(window, window, 4, 6, seed=1)

    def loss(form):
        return lambda x, kernel: jnp.sum(jnp.sin(form(x, kernel)))

    def plain(x, kernel):
        return jax.lax.conv_general_dilated(
            x, kernel, (strides, strides), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    sliced = jax.jit(jax.grad(loss(lambda x, k: conv2d(x, k, (strides, strides))), (0, 1)))
    assert "length=3" in str(jax.make_jaxpr(sliced)(x, kernel))
    close(sliced(x, kernel), jax.grad(loss(plain), (0, 1))(x, kernel))


def test_groups_equal_flax():
    x = draw(3, 8, 8, 4)
    ours, theirs = Conv(6, 3, groups=2), nn.Conv(6, (3, 3), feature_group_count=2)
    variables = jax.jit(theirs.init)(jax.random.key(0), x)
    assert jax.tree.map(jnp.shape, ours.init(jax.random.key(0), x)) == jax.tree.map(jnp.shape, variables)
    close(*[jax.jit(jax.value_and_grad(curved(m)))(variables, x) for m in (ours, theirs)])


@pytest.mark.parametrize(("window", "strides", "padding", "rows", "columns"), CASES)
def test_depthwise_equals_flax(window, strides, padding, rows, columns):
    x, options = draw(3, rows, columns, 6), {"use_bias": False}
    ours = Conv(6, window, strides, padding, groups=6, **options)
    theirs = nn.Conv(6, (window, window), strides, padding, feature_group_count=6, **options)
    variables = jax.jit(theirs.init)(jax.random.key(0), x)
    assert "conv_general_dilated" not in str(jax.make_jaxpr(ours.apply)(variables, x))
    close(ours.apply(variables, x), theirs.apply(variables, x), 1e-5)
    close(*[jax.jit(jax.value_and_grad(curved(m), (0, 1)))(variables, x) for m in (ours, theirs)])


@pytest.mark.parametrize(("window", "strides", "padding", "rows", "columns"), [CASES[i] for i in (2, 5, 9)])
def test_second_gradients_of_depthwise_equal_flax(window, strides, padding, rows, columns):
    x, options = draw(3, rows, columns, 6), {"use_bias": False}
    ours = Conv(6, window, strides, padding, groups=6, **options)
    theirs = nn.Conv(6, (window, window), strides, padding, feature_group_count=6, **options)
    variables = jax.jit(theirs.init)(jax.random.key(1), x)
    close(*[jax.jit(jax.grad(penalty(m), (0, 1)))(variables, x) for m in (ours, theirs)])


def test_depthwise_sums_in_single_precision():
    x = draw(1, 9, 9, 4)
    kernel = jnp.ones((9, 9, 1, 4), jnp.bfloat16)
    found = conv2d(x.astype(jnp.bfloat16), kernel, padding="VALID", groups=4)
    exact = x.astype(jnp.bfloat16).astype(jnp.float32).sum((1, 2))
    np.testing.assert_array_equal(found[:, 0, 0], exact.astype(jnp.bfloat16))


def test_vmap_over_images_and_kernels_equals_a_loop():
    x, kernels = draw(3, 2, 6, 6, 3), draw(3, 3, 3, 3, 4, seed=1)

    def gradients(x, kernel):
        return jax.grad(lambda x, kernel: jnp.sum(conv2d(x, kernel) ** 2), (0, 1))(x, kernel)

    looped = [jax.jit(gradients)(a, b) for a, b in zip(x, kernels, strict=True)]
    close(jax.jit(jax.vmap(gradients))(x, kernels), jax.tree.map(lambda *leaves: jnp.stack(leaves), *looped))


def test_bfloat16_computes_in_bfloat16_and_keeps_float32_parameters():
    x = draw(4, 8, 8, 8)
    ours, exact = Conv(8, 3, dtype=jnp.bfloat16), nn.Conv(8, (3, 3))
    variables = jax.jit(ours.init)(jax.random.key(0), x)
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    assert ours.apply(variables, x).dtype == jnp.bfloat16

    def loss(module):
        return lambda variables: jnp.sum(module.apply(variables, x).astype(jnp.float32) ** 2)

    got, want = (jax.jit(jax.grad(loss(m)))(variables)["params"]["kernel"] for m in (ours, exact))
    assert got.dtype == jnp.float32
    assert jnp.linalg.norm(got - want) < 0.02 * jnp.linalg.norm(want)


def test_batch_sharded_over_eight_devices_gives_the_gradients_of_one():
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,))
    module = Conv(4, 3)
    x = draw(16, 6, 6, 3)
    variables = jax.jit(module.init)(jax.random.key(0), x)
    gradient = jax.jit(jax.grad(curved(module), (0, 1)))
    sharded = jax.device_put(x, NamedSharding(mesh, PartitionSpec("data")))
    everywhere = jax.device_put(variables, NamedSharding(mesh, PartitionSpec()))
    got = jax.block_until_ready(gradient(everywhere, sharded))
    assert len(got[1].sharding.device_set) == 8
    close(got, gradient(variables, x), 1e-5)


@pytest.mark.parametrize("platform", ["cpu", "tpu"])
@pytest.mark.parametrize("module", [Conv(8), Conv(8, 4, 2), Conv(4, groups=4)], ids=["3x3", "4x4", "depthwise"])
def test_the_gradient_of_each_example_is_its_own_on_eight_devices(platform, module, monkeypatch):
    monkeypatch.setattr(conv.target, "platform", lambda: platform)
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,))
    x = draw(16, 1, 16, 16, 4)
    variables = module.init(jax.random.key(0), x[0])
    gradient = jax.jit(jax.vmap(jax.grad(curved(module)), (None, 0)))
    sharded = jax.device_put(x, NamedSharding(mesh, PartitionSpec("data")))
    everywhere = jax.device_put(variables, NamedSharding(mesh, PartitionSpec()))
    want = [jax.grad(curved(module))(variables, rows) for rows in x]
    close(jax.block_until_ready(gradient(everywhere, sharded)), jax.tree.map(lambda *rows: jnp.stack(rows), *want))


@pytest.mark.parametrize(("channels", "filters"), [(1, 8), (64, 64), (8, 65)])
def test_few_channels_of_many_pixels_equal_flax(channels, filters):
    """There the kernel's gradient is XLA's own, below 64 channels: also its gradients in turn."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 12, 13, channels)).astype(np.float32)
    kernel = rng.normal(size=(3, 3, channels, filters)).astype(np.float32)
    g = rng.normal(size=(2, 12, 13, filters)).astype(np.float32)

    def slope(convolution):
        of_kernel = jax.grad(lambda k, x: (convolution(x, k) * g).sum())
        return lambda x: (of_kernel(kernel, x), jax.grad(lambda x: jnp.square(of_kernel(kernel, x)).sum())(x))

    ours = jax.jit(slope(lambda x, k: conv2d(x, k)))(x)
    plain = jax.jit(slope(lambda x, k: jax.lax.conv_general_dilated(
        x, k, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))))(x)  # fmt: skip
    for a, b in zip(ours, plain):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4 * np.abs(b).max())


def test_accelerators_get_the_plain_convolution(monkeypatch):
    x, kernel = draw(2, 6, 6, 3), draw(3, 3, 3, 4, seed=1)
    assert "custom_vjp" in str(jax.make_jaxpr(conv2d)(x, kernel))
    for backend in ("gpu", "tpu"):
        monkeypatch.setattr(jax, "default_backend", lambda backend=backend: backend)
        jaxpr = jax.make_jaxpr(lambda x, kernel: conv2d(x, kernel))(x, kernel)
        assert [equation.primitive.name for equation in jaxpr.eqns] == ["conv_general_dilated"]
        grouped = jax.make_jaxpr(lambda x, kernel: conv2d(x, kernel, groups=3))(x, kernel[:, :, :1, :3])
        assert [equation.primitive.name for equation in grouped.eqns] == ["conv_general_dilated"]
