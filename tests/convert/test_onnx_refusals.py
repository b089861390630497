"""ONNX files that are refused, in one line, and files of noise."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from fergen.convert import onnx as reader
from fergen.core.errors import BadInput
from fergen.train import feature_spaces
from tests.convert.onnx_graphs import (
    NORM,
    SHAPE,
    drawn,
    ints,
    iresnet,
    mobilefacenet,
    model,
    node,
    saved,
    small,
)


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
