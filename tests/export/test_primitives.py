"""Each operator against JAX, alone; folding keeps results and leaves fewer nodes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from fergen.core.errors import BadInput
from fergen.export.functions import Exported, Input
from fergen.export.runtime import session
from fergen.export.to_onnx import to_onnx

RNG = np.random.default_rng(0)
LAYOUT = ("NHWC", "HWIO", "NHWC")


def kernel(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def conv(x, k, strides=(1, 1), pads=((0, 0), (0, 0)), **options):
    return lax.conv_general_dilated(x, k, strides, pads, dimension_numbers=LAYOUT, **options)


K33, K41, DEPTH, K2 = kernel(3, 3, 4, 5), kernel(4, 4, 4, 5), kernel(3, 3, 1, 4), kernel(4, 2)
FUNCTIONS = {
    "convolution": lambda x: conv(x, K33, (2, 1), ((1, 0), (2, 1))),
    "convolution that cuts": lambda x: conv(x, K33, pads=((-1, 2), (0, -2))),
    "dilated": lambda x: conv(x, K33, pads=((2, 2), (2, 2)), rhs_dilation=(2, 2)),
    "depthwise": lambda x: conv(x, DEPTH, pads=((1, 1), (1, 1)), feature_group_count=4),
    "transposed": lambda x: conv(x, K41, pads=((2, 2), (1, 3)), lhs_dilation=(2, 2)),
    "transposed, wide": lambda x: conv(x, K33, pads=((4, 1), (2, 5)), lhs_dilation=(2, 2)),
    "max pooling": lambda x: lax.reduce_window(
        x, -jnp.inf, lax.max, (1, 3, 2, 1), (1, 2, 2, 1), ((0, 0), (1, 1), (0, 1), (0, 0))
    ),
    "sum pooling": lambda x: lax.reduce_window(
        x, 0.0, lax.add, (1, 3, 3, 1), (1, 1, 1, 1), ((0, 0), (1, 1), (1, 1), (0, 0))
    ),
    "normalised": lambda x: (conv(x, K33) - x[:, 1:-1, 1:-1].mean((1, 2, 3), keepdims=True)) * jnp.arange(5.0),
    "rows and columns": lambda x: x[:, ::2][:, 1:, 2:6, :3][:, :, jnp.array([3, 0, 0])],
    "turned": lambda x: x.transpose(0, 2, 1, 3) @ K2,
    "attention": lambda x: jnp.einsum("nhwc,nvwc->nwhv", jax.nn.softmax(x), x),
    "joined": lambda x: jnp.concatenate([x, jnp.ones_like(x[..., :1]), -x], axis=-1),
    "stacked": lambda x: jnp.stack([x, x**2], axis=2).reshape(x.shape[0], -1),
    "split": lambda x: jnp.split(x, [1, 3], axis=-1)[1] * 3,
    "padded": lambda x: lax.pad(x, 2.0, ((0, 0, 0), (1, 2, 0), (-1, 0, 0), (0, 0, 0))),
    "spread": lambda x: jnp.broadcast_to(x.mean(1, keepdims=True), x.shape) @ K2,
    "choices": lambda x: jnp.where(x > 0.3, jnp.clip(x, -0.5, 0.7), jnp.exp(-jnp.abs(x))),
    "activations": lambda x: jax.nn.gelu(x) + jax.nn.silu(x) + jax.nn.leaky_relu(x) + jax.nn.relu6(x) + jnp.tanh(x),
    "waves": lambda x: jnp.sin(x) + jnp.cos(x) + jnp.sqrt(jnp.abs(x)) + lax.rsqrt(jnp.square(x) + 1),
    "extremes": lambda x: x.max((1, 2)) - x.min((1, 2)) + x.sum((1, 2)),
    "a row for all": lambda x: jnp.broadcast_to(jnp.arange(4.0), (x.shape[0], 4)) @ K2 + x.mean((1, 2))[:, :2],
}  # fmt: skip


def exported(call, inputs=(Input("x", ("n", 6, 7, 4)),)):
    return Exported("f", lambda *given: (call(*given),), tuple(inputs), ("out",))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_operator(name):
    call = FUNCTIONS[name]
    model = session(to_onnx(exported(call)).SerializeToString())
    for n in (1, 3):
        x = RNG.standard_normal((n, 6, 7, 4)).astype(np.float32)
        np.testing.assert_allclose(model.run(None, {"x": x})[0], jax.jit(call)(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mode", ["clip", None])
def test_rows_by_label(mode):
    table = kernel(7, 5)
    call = lambda y: jnp.take(table, y, axis=0, mode=mode)  # noqa: E731 (a function under test)
    model = session(to_onnx(exported(call, [Input("label", ("n",), np.int32, 7)])).SerializeToString())
    labels = np.array([6, 0, 3, 3], np.int32)
    np.testing.assert_array_equal(model.run(None, {"label": labels})[0], table[labels])


def test_pixels_are_whole_numbers():
    call = lambda x: x.astype(jnp.float32) / 127.5 - 1  # noqa: E731 (a function under test)
    model = session(to_onnx(exported(call, [Input("x", ("n", 2), np.uint8, 256)])).SerializeToString())
    pixels = np.array([[0, 255], [128, 1]], np.uint8)
    np.testing.assert_allclose(model.run(None, {"x": pixels})[0], pixels / 127.5 - 1, atol=1e-6)


def test_factors_and_offsets_go_into_the_convolution():
    mean, scale, bias = kernel(5), kernel(5), kernel(5)

    def call(x):
        y = jax.nn.relu((conv(x, K33) - mean) * scale + bias)
        z = y.mean((1, 2)) @ K2.repeat(2, 0)[:5] / 3 + mean[:2]
        return z * 2

    model = to_onnx(exported(call))
    kinds = [node.op_type for node in model.graph.node]
    assert kinds.count("Conv") == 1
    assert {"Sub", "Mul"}.isdisjoint(kinds[: kinds.index("Relu")])
    x = RNG.standard_normal((2, 6, 7, 4)).astype(np.float32)
    found = session(model.SerializeToString()).run(None, {"x": x})[0]
    np.testing.assert_allclose(found, jax.jit(call)(x), rtol=1e-4, atol=1e-5)


def test_a_convolution_that_two_look_at_is_left_alone():
    call = lambda x: jnp.concatenate([conv(x, K33) * 2, conv(x, K33) + 1, jax.nn.relu(conv(x, K33))], -1)  # noqa: E731

    def shared(x):
        y = conv(x, K33)
        return jnp.concatenate([y * 2, y + 1, jax.nn.relu(y)], -1)

    x = RNG.standard_normal((2, 6, 7, 4)).astype(np.float32)
    found = session(to_onnx(exported(shared)).SerializeToString()).run(None, {"x": x})[0]
    np.testing.assert_allclose(found, jax.jit(call)(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda x: jnp.sort(x, axis=-1), "computes 'sort', which has no ONNX form here"),
        (lambda x: conv(x, x.sum() * K33), "fixed kernels"),
        (lambda x: lax.pad(x, 0.0, ((0, 0, 0), (0, 0, 1), (0, 0, 0), (0, 0, 0))), "padding outside"),
    ],
)
def test_what_has_no_form_is_refused(call, said):
    with pytest.raises(BadInput, match=said):
        to_onnx(exported(call))


def test_equal_constants_are_held_once():
    model = to_onnx(exported(lambda x: (x @ K2) @ (2 * jnp.ones((2, 4))) @ K2))
    assert len(model.graph.initializer) == 2
