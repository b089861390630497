"""ONNX files: every operator and whole networks of faces against onnxruntime, gradients, refusals, feature spaces."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from fergen.convert import onnx as reader
from fergen.convert.onnx_ops import OPERATORS
from fergen.core.errors import BadInput
from fergen.core.paths import file_hash
from fergen.core.tree import tree_hash
from fergen.train import feature_spaces

SHAPE = (1, 3, 9, 8)  # of the image that an operator is shown: no two axes alike
INT_MAX = np.iinfo(np.int64).max


def node(operator, inputs, outputs="y", **attributes):
    """A node; names are parted by blanks, and `_` leaves an input out."""
    inputs = ["" if name == "_" else name for name in inputs.split()]
    return helper.make_node(operator, inputs, outputs.split(), **attributes)


def model(nodes, weights=None, shape=SHAPE, opset=18, output="y"):
    """A model of an image `x`; the weights are arrays by name."""
    initializers = [numpy_helper.from_array(np.asarray(array), name) for name, array in (weights or {}).items()]
    graph = helper.make_graph(
        nodes,
        "faces",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
        initializers,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def saved(folder, content, name="net.onnx"):
    onnx.save(content, str(folder / name))
    return folder / name


def theirs(content, images, names=("y",)):
    """What onnxruntime makes of images [n, c, h, w], all at once."""
    content = onnx.ModelProto.FromString(content.SerializeToString())
    given_out = {value.name for value in content.graph.output}
    content.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in given_out)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(list(names), {"x": images})


def drawn(*shape, low=-1.0, high=1.0, seed=0):
    return np.random.default_rng(seed).uniform(low, high, shape).astype(np.float32)


class Net:
    """Nodes and random weights, added layer by layer; `last` is the name of what was made last."""

    def __init__(self, seed=0):
        self.rng, self.nodes, self.weights, self.last = np.random.default_rng(seed), [], {}, "x"

    def add(self, operator, *shapes, source=None, positive=(), **attributes):
        """Add an operator with a random weight of each shape; those numbered in `positive` are so."""
        name, inputs = f"v{len(self.nodes)}", [source or self.last]
        for i, shape in enumerate(shapes):
            weight = self.rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))
            self.weights[f"{name}.{i}"] = (np.abs(weight) + 0.5 if i in positive else weight).astype(np.float32)
            inputs.append(f"{name}.{i}")
        self.nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        self.last = name
        return name

    def conv(self, before, after, size=3, stride=1, group=1, source=None, **attributes):
        pads = attributes.pop("pads", [size // 2] * 4)
        shape = (after, before // group, size, size)
        more = {"kernel_shape": [size] * 2, "strides": [stride] * 2, "pads": pads, "group": group}
        return self.add("Conv", shape, source=source, **more, **attributes)

    def norm(self, channels, source=None):
        return self.add("BatchNormalization", *[(channels,)] * 4, source=source, positive=(0, 3), epsilon=2e-5)

    def plus(self, a, b):
        self.nodes.append(helper.make_node("Add", [a, b], [f"v{len(self.nodes)}"]))
        self.last = self.nodes[-1].output[0]
        return self.last

    def model(self, shape, opset=18):
        return model(self.nodes, self.weights, shape, opset, self.last)


def iresnet(batch=1):
    """Two residual blocks of ArcFace's network, the first of half resolution, and its head."""
    net = Net()
    net.conv(3, 8)
    net.norm(8)
    before = net.add("PRelu", (8, 1, 1))
    for stride, wide in ((2, 12), (1, 12)):
        channels = 8 if stride == 2 else 12
        net.norm(channels, before)
        net.conv(channels, wide)
        net.norm(wide)
        net.add("PRelu", (wide, 1, 1))
        net.conv(wide, wide, stride=stride)
        main = net.norm(wide)
        if stride == 2:
            net.conv(channels, wide, size=1, stride=2, source=before, pads=[0] * 4)
            before = net.norm(wide)
        before = net.plus(main, before)
    net.norm(12)
    net.add("Flatten")
    net.add("Gemm", (10, 12 * 8 * 8), (10,), transB=1)
    net.norm(10)
    return net.model((batch, 3, 16, 16))


def mobilefacenet(shape_of="constant", batch=1):
    """Depthwise convolutions and a global one, flattened by a shape that is written or computed."""
    net = Net(1)
    net.conv(3, 8, stride=2)
    net.norm(8)
    net.add("PRelu", (8, 1, 1))
    net.conv(8, 8, group=8)
    net.add("PRelu", (8, 1, 1))
    net.conv(8, 16, size=1)
    net.conv(16, 16, stride=2, group=16, dilations=[1, 1])
    net.conv(16, 16, size=4, group=16, pads=[0] * 4)
    if shape_of == "constant":
        net.weights["flat"] = np.array([1, -1])
    else:
        net.weights |= {"first": np.array(0), "along": np.array([0]), "rest": np.array([-1])}
        net.nodes += [
            node("Shape", net.last, "sizes"),
            node("Gather", "sizes first", "n", axis=0),
            node("Unsqueeze", "n along", "ns"),
            node("Concat", "ns rest", "flat", axis=0),
        ]
    net.nodes.append(node("Reshape", f"{net.last} flat", "rows"))
    net.add("Gemm", (6, 16), (6,), transB=1, source="rows")
    net.norm(6)
    net.add("LpNormalization")
    return net.model((batch, 3, 16, 16))


def pooled():
    """Pools of all kinds, pads, and pads that a rule chooses."""
    net = Net(2)
    net.conv(3, 6, stride=2, pads=[0, 1, 2, 0])
    net.add("MaxPool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
    net.add("Conv", (6, 6, 3, 3), kernel_shape=[3, 3], auto_pad="SAME_LOWER")
    net.add("AveragePool", kernel_shape=[2, 3], strides=[2, 1], auto_pad="SAME_UPPER")
    net.add("Conv", (8, 3, 2, 2), group=2, auto_pad="VALID")
    net.add("AveragePool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], count_include_pad=1)
    net.add("GlobalAveragePool")
    net.add("Flatten")
    return net.model((1, 3, 37, 30))


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


def one(operator, inputs="x", opset=18, weights=None, **attributes):
    """A row of the table: a single node."""
    return [node(operator, inputs, **attributes)], weights, opset


def positive(operator):
    return [node("Abs", "x", "positive"), node(operator, "positive")], None, 18


def resized(mode, rule, rounding="round_prefer_floor", scales=(1.0, 1.0, 2.5, 0.6)):
    attributes = {"mode": mode, "coordinate_transformation_mode": rule, "nearest_mode": rounding}
    return one("Resize", "x _ s", weights={"s": np.float32(scales)}, **attributes)


def ints(*values):
    return np.array(values, np.int64)


CHANNEL = drawn(3, seed=1)
NORM = {"a": CHANNEL, "b": drawn(3, seed=2), "m": drawn(3, seed=3), "v": drawn(3, seed=4, low=0.2)}
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


def small(first=(), weights=None, shape=(1, 3, 12, 10), source="x", channels=3):
    """A network of one convolution, behind other nodes."""
    nodes = [*first, node("Conv", f"{source} w", "c", strides=[2, 2]), node("GlobalAveragePool", "c")]
    return model(nodes, {"w": drawn(5, channels, 3, 3), **(weights or {})}, shape)


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


def two_images():
    content = small()
    content.graph.input.append(helper.make_tensor_value_info("x2", TensorProto.FLOAT, SHAPE))
    return content


def no_image():
    content = small()
    del content.graph.input[:]
    return content


def of_bytes():
    content = small()
    content.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    return content


def cut():
    content = small()
    content.graph.initializer[0].raw_data = content.graph.initializer[0].raw_data[:-4]
    return content


def old():
    content = small()
    content.opset_import[0].version = 6
    return content


def no_output():
    content = small()
    content.graph.output[0].name = "elsewhere"
    return content


def foreign(operator, domain):
    content = small()
    content.graph.node[0].op_type, content.graph.node[0].domain = operator, domain
    return content


def last(*nodes, weights=None):
    return model([*nodes], weights)


TRAINING = node("BatchNormalization", "x a b m v", training_mode=1)
CUBIC = node("Resize", "x _ s", mode="cubic")
REFUSED = {
    "an unknown operator": (lambda: foreign("LSTM", ""), "found LSTM"),
    "a loop": (lambda: foreign("Loop", ""), "found Loop"),
    "an operator of others": (lambda: foreign("Conv", "com.microsoft"), "found com.microsoft.Conv"),
    "two images": (two_images, r"found x \[1, 3, 12, 10\], x2 \[1, 3, 9, 8\]"),
    "no image": (no_image, "found none"),
    "bytes": (of_bytes, "expected one floating-point input"),
    "a vector": (lambda: small(shape=(1, 3)), r"found x \[1, 3\]"),
    "five channels": (lambda: small(shape=(1, 5, 12, 10)), "1 or 3 channels; found"),
    "a batch of eight": (lambda: small(shape=(8, 3, 12, 10)), r"a batch of 1, .* found x \[8, 3, 12, 10\]"),
    "no nodes": (lambda: last(), "without nodes"),
    "too few numbers": (cut, "damaged"),
    "old operators": (old, "expected operators of version 7 or later, found 6"),
    "no output": (no_output, "expected a node that gives the output 'elsewhere'"),
    "an image that is too small": (lambda: small(shape=(1, 3, 2, 2)), "larger images, found 2x2"),
    "an input from nowhere": (lambda: last(node("Add", "x w")), "Add that gives 'y' .* its input 'w'"),
    "inputs that do not fit": (lambda: last(node("Add", "x w"), weights={"w": drawn(5)}), "Add that gives 'y'"),
    "too many inputs": (lambda: last(node("Relu", "x x x")), "Relu that gives 'y'"),
    "an attribute left out": (lambda: last(node("MaxPool", "x")), "MaxPool that gives 'y'.*kernel_shape"),
    "a shape that depends on pixels": (
        lambda: last(node("Cast", "x", "s", to=TensorProto.INT64), node("Reshape", "x s")), "Reshape that gives 'y'"
    ),
    "endless zeros": (lambda: last(node("ConstantOfShape", "s"), weights={"s": ints(2**62, 9)}), "ConstantOfShape"),
    "training": (lambda: last(TRAINING, weights=NORM), "found one in training"),
    "cubic": (lambda: last(CUBIC, weights={"s": np.float32([1, 1, 2, 2])}), "expected mode nearest or linear"),
    "text": (lambda: last(node("Constant", "", value_string="a")), "damaged"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_files_that_are_refused(case, tmp_path):
    build, words = REFUSED[case]
    path = saved(tmp_path, build())
    with pytest.raises(BadInput, match=words) as refusal:
        reader.read(path)
    assert str(path) in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "without nodes"),
        (b"PK\x03\x04 not a network", "damaged"),
        (small().SerializeToString()[:-40], "damaged|without nodes"),
        (None, "no such file"),
    ],
)
def test_what_is_no_onnx_file(content, words, tmp_path):
    path = tmp_path / "net.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInput, match=words) as refusal:
        feature_spaces.load(path)
    assert str(path) in str(refusal.value)


def test_no_convolution_no_feature_space(tmp_path):
    path = saved(tmp_path, model([node("Flatten", "x")]))
    assert reader.read(path).dim == np.prod(SHAPE)
    with pytest.raises(BadInput, match="expected a network of convolutions"):
        feature_spaces.load(path)


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    path = saved(tmp_path, small())
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(BadInput, match="pip install onnx"):
        feature_spaces.load(path)


def test_another_size_is_refused(tmp_path):
    net = reader.read(saved(tmp_path, iresnet()))
    with pytest.raises(BadInput, match="Gemm that gives"):
        net.embed(net.variables, drawn(1, 3, 20, 20))


NOISE = mobilefacenet("computed").SerializeToString()


@settings(max_examples=60, deadline=None)
@given(
    edits=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=6),
    cut=st.floats(0, 1),
)
def test_noise_reads_or_is_refused(edits, cut, tmp_path_factory):
    raw = bytearray(NOISE)
    for where, value in edits:
        raw[int(where * len(raw))] = value
    path = tmp_path_factory.mktemp("noise") / "net.onnx"
    path.write_bytes(raw[: max(1, int((0.5 + cut) * len(raw)))])
    try:
        net = reader.read(path)
    except BadInput:  # anything else would be a fault
        return
    assert net.dim > 0
