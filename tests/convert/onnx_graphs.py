"""Small ONNX models, made by the package of that name, and what onnxruntime says of them."""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

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


def small(first=(), weights=None, shape=(1, 3, 12, 10), source="x", channels=3):
    """A network of one convolution, behind other nodes."""
    nodes = [*first, node("Conv", f"{source} w", "c", strides=[2, 2]), node("GlobalAveragePool", "c")]
    return model(nodes, {"w": drawn(5, channels, 3, 3), **(weights or {})}, shape)


def ints(*values):
    return np.array(values, np.int64)


CHANNEL = drawn(3, seed=1)
NORM = {"a": CHANNEL, "b": drawn(3, seed=2), "m": drawn(3, seed=3), "v": drawn(3, seed=4, low=0.2)}
