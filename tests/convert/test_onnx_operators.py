"""ONNX operators against onnxruntime, a row each."""

import jax
import numpy as np
import pytest
from onnx import TensorProto, numpy_helper

from fergen.convert import onnx as reader
from fergen.convert.onnx_ops import OPERATORS
from tests.convert.onnx_graphs import CHANNEL, INT_MAX, NORM, SHAPE, drawn, ints, model, node, saved, theirs


def one(operator, inputs="x", opset=18, weights=None, **attributes):
    """A row of the table: a single node."""
    return [node(operator, inputs, **attributes)], weights, opset


def positive(operator):
    return [node("Abs", "x", "positive"), node(operator, "positive")], None, 18


def resized(mode, rule, rounding="round_prefer_floor", scales=(1.0, 1.0, 2.5, 0.6)):
    attributes = {"mode": mode, "coordinate_transformation_mode": rule, "nearest_mode": rounding}
    return one("Resize", "x _ s", weights={"s": np.float32(scales)}, **attributes)


FILTERS = {"w": drawn(6, 1, 3, 2, seed=1), "b": drawn(6, seed=2)}
MATRIX = {"w": drawn(8, 5, seed=1), "b": drawn(5, seed=2)}
# Rows [72, 3], as Gemm wants them.
ROWS = node("Reshape", "x to", "rows")
TO = {"to": ints(72, 3)}
ROW = {
    "Abs": one("Abs"),
    "Add": one("Add", "x w", weights={"w": drawn(9, 1)}),
    "AveragePool": one("AveragePool", kernel_shape=[3, 2], strides=[2, 3], pads=[1, 0, 1, 1]),
    "AveragePool with ceil_mode": one(
        "AveragePool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1, count_include_pad=1
    ),
    "AveragePool without pads, with ceil_mode": one("AveragePool", kernel_shape=[2, 3], strides=[2, 3], ceil_mode=1),
    "AveragePool with dilations": one("AveragePool", opset=19, kernel_shape=[2, 3], dilations=[3, 2]),
    "BatchNormalization": one("BatchNormalization", "x a b m v", weights=NORM, epsilon=1e-3),
    "Cast": (
        [node("Cast", "x", "i", to=TensorProto.INT32), node("Cast", "h", "f", to=TensorProto.FLOAT)]
        + [node("Cast", "i", "j", to=TensorProto.FLOAT), node("Add", "j f")],
        {"h": drawn(8).astype(np.float16)},
        18,
    ),
    "Clip": one("Clip", "x low high", weights={"low": np.float32(-0.3), "high": np.float32(0.5)}),
    "Clip below": one("Clip", "x low", weights={"low": np.float32(-0.3)}),
    "Clip of before 11": one("Clip", opset=10, min=-0.3, max=0.5),
    "Concat": ([node("Neg", "x", "n"), node("Concat", "x n", axis=-2)], None, 18),
    "ConstantOfShape": (
        [node("ConstantOfShape", "s", "c", value=numpy_helper.from_array(np.float32([2.5]))), node("Mul", "x c")],
        {"s": ints(9, 8)},
        18,
    ),
    "ConstantOfShape of a Shape": (
        [node("Shape", "x", "s"), node("ConstantOfShape", "s", "zeros"), node("Sub", "zeros x")], None, 18
    ),
    "Conv": one("Conv", "x w b", weights=FILTERS, group=3, strides=[2, 1], pads=[2, 0, 1, 1], dilations=[2, 3]),
    "Conv SAME_UPPER": one("Conv", "x w", weights=FILTERS, group=3, strides=[2, 2], auto_pad="SAME_UPPER"),
    "Conv SAME_LOWER": one("Conv", "x w", weights=FILTERS, group=3, strides=[2, 1], auto_pad="SAME_LOWER"),
    "Conv VALID": one("Conv", "x w", weights=FILTERS, group=3, auto_pad="VALID"),
    "Div": one("Div", "x w", weights={"w": drawn(8, low=0.5)}),
    "Div of whole numbers": (
        [node("Shape", "x", "s"), node("Div", "s by", "to"), node("Reshape", "x to")], {"by": ints(1, 4, 2, -5)}, 18
    ),
    "Dropout": one("Dropout", "x r", weights={"r": np.float32(0.5)}),
    "Dropout of before 12": one("Dropout", opset=9, ratio=0.5),
    "Elu": one("Elu", alpha=0.7),
    "Equal": ([node("Cast", "x", "i", to=TensorProto.INT32), node("Equal", "i i2", "e")]
              + [node("Cast", "e", to=TensorProto.FLOAT)], {"i2": np.int32(0)}, 18),
    "Erf": one("Erf"),
    "Exp": one("Exp"),
    "Expand": one("Expand", "x to", weights={"to": ints(2, 1, 1, 9, 1)}),
    "Flatten": one("Flatten"),
    "Flatten at another axis": one("Flatten", axis=-2),
    "Floor": one("Floor"),
    "Gather": one("Gather", "x i", weights={"i": ints(0, -1, 1)}, axis=2),
    "Gelu": one("Gelu", opset=20),
    "Gelu by tanh": one("Gelu", opset=20, approximate="tanh"),
    "Gemm": ([ROWS, node("Gemm", "rows w b", alpha=0.5, beta=2.0, transA=1, transB=1)],
             TO | {"w": drawn(5, 72), "b": drawn(5)}, 18),
    "Gemm without a bias": ([ROWS, node("Gemm", "rows w")], TO | {"w": drawn(3, 5)}, 18),
    "GlobalAveragePool": one("GlobalAveragePool"),
    "GlobalMaxPool": one("GlobalMaxPool"),
    "HardSigmoid": one("HardSigmoid", alpha=0.6),
    "HardSwish": ([node("Mul", "x six", "wide"), node("HardSwish", "wide")], {"six": np.float32(6)}, 18),
    "Identity": one("Identity"),
    "InstanceNormalization": one("InstanceNormalization", "x a b", weights=NORM, epsilon=1e-3),
    "LayerNormalization": one("LayerNormalization", "x w w", weights={"w": drawn(9, 8)}, axis=2),
    "LayerNormalization without a bias": one("LayerNormalization", "x a", weights={"a": drawn(8)}, epsilon=1e-2),
    "LeakyRelu": one("LeakyRelu", alpha=0.2),
    "Log": positive("Log"),
    "LpNormalization": one("LpNormalization", axis=1),
    "LpNormalization of order 1": one("LpNormalization", p=1),
    "MatMul": one("MatMul", "x w", weights=MATRIX),
    "Max": one("Max", "x a b", weights={"a": np.float32(0), "b": drawn(8)}),
    "MaxPool": one("MaxPool", kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 0, 1]),
    "MaxPool with ceil_mode": one("MaxPool", kernel_shape=[2, 3], strides=[2, 3], pads=[1, 0, 1, 0], ceil_mode=1),
    "MaxPool whose last window sees nothing": one(
        "MaxPool", kernel_shape=[2, 2], strides=[5, 3], pads=[1, 1, 1, 1], ceil_mode=1
    ),
    "MaxPool with dilations": one("MaxPool", kernel_shape=[3, 2], dilations=[2, 3], auto_pad="VALID"),
    "Min": one("Min", "x a", weights={"a": drawn(9, 8)}),
    "Mod": one("Mod", "x w", weights={"w": drawn(8, low=0.3)}, fmod=1),
    "Mod of whole numbers": (
        [node("Shape", "x", "s"), node("Mod", "s by", "to"), node("Reshape", "x to")], {"by": ints(2, 6, -10, 3)}, 18
    ),
    "Mul": one("Mul", "x x"),
    "Neg": one("Neg"),
    "PRelu": one("PRelu", "x slope", weights={"slope": CHANNEL.reshape(3, 1, 1)}),
    "Pad": one("Pad", "x p v", weights={"p": ints(0, 1, 0, 2, 0, 0, 3, 1), "v": np.float32(0.5)}),
    "Pad of two axes": one("Pad", "x p _ axes", weights={"p": ints(1, 2, 3, 4), "axes": ints(-1, 1)}),
    "Pad by reflection": one("Pad", "x p", weights={"p": ints(0, 0, 1, 2, 0, 0, 3, 1)}, mode="reflect"),
    "Pad of before 11": one("Pad", opset=10, pads=[0, 0, 1, 2, 0, 0, 3, 1], value=2.0),
    "Pow": one("Pow", "x two", weights={"two": np.float32(2)}),
    "Reciprocal": ([node("Exp", "x", "e"), node("Reciprocal", "e")], None, 18),
    "ReduceL2": one("ReduceL2", "x axes", weights={"axes": ints(1, -1)}, keepdims=0),
    "ReduceMax": one("ReduceMax", opset=12, axes=[1]),
    "ReduceMean": one("ReduceMean", opset=17, axes=[2, 3], keepdims=0),
    "ReduceMean of all axes": one("ReduceMean"),
    "ReduceProd": one("ReduceProd", opset=17, axes=[-1]),
    "ReduceSum": one("ReduceSum", "x axes", weights={"axes": ints(2)}),
    "ReduceSum of no axis": one("ReduceSum", noop_with_empty_axes=1),
    "Relu": one("Relu"),
    "Reshape": one("Reshape", "x to", weights={"to": ints(0, -1, 0, 2)}),
    "Resize": resized("nearest", "asymmetric", "floor"),
    "Resize half_pixel": resized("nearest", "half_pixel"),
    "Resize half_pixel, up": resized("nearest", "half_pixel", "round_prefer_ceil", (1, 1, 2, 3)),
    "Resize align_corners": resized("nearest", "align_corners", "ceil"),
    "Resize linear": resized("linear", "half_pixel"),
    "Resize linear align_corners": resized("linear", "align_corners"),
    "Resize linear pytorch_half_pixel": resized("linear", "pytorch_half_pixel", scales=(1, 1, 2, 0.125)),
    "Resize to sizes": one("Resize", "x _ _ s", weights={"s": ints(1, 3, 5, 17)}, mode="linear"),
    "Resize of version 10": one("Resize", "x s", opset=10, weights={"s": np.float32([1, 1, 2, 1.5])}, mode="linear"),
    "Resize to computed sizes": (
        [node("Shape", "x", "s"), node("Cast", "s", "f", to=TensorProto.FLOAT), node("Mul", "f by", "wide")]
        + [node("Floor", "wide", "floor"), node("Cast", "floor", "sizes", to=TensorProto.INT64)]
        + [node("Resize", "x _ _ sizes", mode="nearest")],
        {"by": np.float32([1, 1, 1.5, 2])},
        18,
    ),
    "Shape": ([node("Shape", "x", "s", start=1, end=-1), node("Cast", "s", "f", to=TensorProto.FLOAT)]
              + [node("ReduceSum", "f", "sum"), node("Mul", "x sum")], None, 18),
    "Sigmoid": one("Sigmoid"),
    "Slice": one("Slice", "x from to axes steps", weights={
        "from": ints(-1, 1, 0), "to": ints(-INT_MAX, INT_MAX, -1), "axes": ints(2, -1, 1), "steps": ints(-2, 3, 1)}),
    "Slice of all axes": one("Slice", "x from to", weights={"from": ints(0, 1, 2, 3), "to": ints(1, 2, 5, 100)}),
    "Slice of before 10": one("Slice", opset=9, starts=[1, 0], ends=[3, -2], axes=[1, 3]),
    "Softmax": one("Softmax", axis=1),
    "Softmax of before 13": one("Softmax", opset=12, axis=2),
    "Split": ([node("Split", "x sizes", "a b", axis=1), node("Mul", "a b")], {"sizes": ints(1, 2)}, 18),
    "Split in equal parts": ([node("Split", "x", "a b", axis=-1), node("Sub", "a b")], None, 13),
    "Split in parts": ([node("Split", "x", "a b", axis=2, num_outputs=2), node("Concat", "b a", axis=2)], None, 18),
    "Split of before 13": ([node("Split", "x", "a b", axis=1, split=[2, 1]), node("Sub", "a b")], None, 12),
    "Sqrt": positive("Sqrt"),
    "Squeeze": one("Squeeze", "x axes", weights={"axes": ints(0)}),
    "Squeeze of all axes": one("Squeeze"),
    "Squeeze of before 13": ([node("GlobalMaxPool", "x", "p"), node("Squeeze", "p", axes=[2, -1])], None, 12),
    "Sub": one("Sub", "w x", weights={"w": drawn(8)}),
    "Sum": one("Sum", "x x w", weights={"w": drawn(8)}),
    "Tanh": one("Tanh"),
    "Transpose": one("Transpose", perm=[0, 3, 1, 2]),
    "Transpose by default": one("Transpose"),
    "Unsqueeze": ([node("Unsqueeze", "w axes", "u"), node("Add", "x u")], {"w": CHANNEL, "axes": ints(-2, 2)}, 18),
    "Unsqueeze of before 13": one("Unsqueeze", opset=12, axes=[0, -1]),
    "Upsample": one("Upsample", "x s", opset=9, weights={"s": np.float32([1, 1, 2, 3])}),
    "Upsample of version 7": one("Upsample", opset=7, scales=[1.0, 1.0, 2.0, 3.0]),
    "Where": ([node("Equal", "i j", "e"), node("Where", "e x w")],
              {"i": ints(*range(8)), "j": ints(3), "w": drawn(8)}, 18),
}  # fmt: skip


@pytest.mark.parametrize("row", ROW)
def test_operators_against_onnxruntime(row, tmp_path):
    nodes, weights, opset = ROW[row]
    content = model(nodes, weights, opset=opset)
    net = reader.read(saved(tmp_path, content))
    images = 2 * drawn(*SHAPE)
    ours = jax.jit(lambda v, x: net.values(v, x, ["y"]))(net.variables, images)["y"]
    wanted = theirs(content, images)[0]
    assert ours.shape == (1, *wanted.shape)
    np.testing.assert_allclose(ours[0], wanted, rtol=1e-4, atol=1e-4)


def test_every_operator_has_a_row():
    assert {step.op_type for nodes, _, _ in ROW.values() for step in nodes} == set(OPERATORS)
