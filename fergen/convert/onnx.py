"""ONNX files of networks that embed faces.

The package `onnx` decodes the file, and nothing in it is executed: its graph becomes a `Network`, in JAX and therefore
differentiable, of the operators in `fergen.convert.onnx_ops`.
"""

from collections.abc import Callable, Container, Iterable
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from fergen.convert.onnx_graph import FAULTS, Network, measured
from fergen.convert.onnx_layers import Node
from fergen.convert.onnx_ops import KNOWN, OPERATORS
from fergen.core.errors import BadInput

OPEN_SIZE = 112  # pixels a side, the usual size of faces, where a file leaves it open
OLDEST = 7  # version of the operators: those before broadcast by rules of their own
DOMAINS = ("", "ai.onnx")
# The first arithmetic on an image, if its constant is such, brings pixels in [0, 255] to a range of the network's own.
FROM_PIXELS: dict[str, Callable[[float], bool]] = {
    "Sub": lambda constant: constant > 64,
    "Add": lambda constant: constant < -64,
    "Div": lambda constant: constant > 64,
    "Mul": lambda constant: 0 < constant < 1 / 64,
}


def read(path: str | Path) -> Network:
    """Read a network that takes one image and whose first output is the embedding.

    Args:
        path: an .onnx file; weights that it keeps in files of their own lie beside it.

    Raises:
        BadInput: missing, damaged, of another kind, or with an operator that we do not know; or the package `onnx` is
            not installed.
    """
    path = Path(path)
    model = _parse(path)
    graph = model.graph
    if not graph.node or not graph.output:
        raise BadInput(f"{path}: expected an ONNX file of a network, found one without nodes or outputs")
    opset = max((entry.version for entry in model.opset_import if entry.domain in DOMAINS), default=1)
    if opset < OLDEST:
        raise BadInput(f"{path}: expected operators of version {OLDEST} or later, found {opset}; export the file anew")
    output = graph.output[0].name
    needed = _ancestors([output], graph.node)
    steps = [step for step in graph.node if needed.intersection(step.output)]
    for step in steps:
        if step.domain not in DOMAINS or step.op_type not in (*OPERATORS, "Constant"):
            name = f"{step.domain}.{step.op_type}" if step.domain else step.op_type
            raise BadInput(f"{path}: expected operators that networks of faces are made of, found {name}")
    try:
        nodes, constants = [], {tensor.name: _array(tensor) for tensor in graph.initializer if tensor.name in needed}
        for step in steps:
            attributes = _attributes(step)
            if step.op_type == "Constant":
                constants[step.output[0]] = _plain(*attributes.values())
            else:
                nodes.append(Node(step.op_type, tuple(step.input), tuple(step.output), attributes, opset))
    except FAULTS as fault:
        raise BadInput(f"{path}: expected an ONNX file, found a damaged one ({fault})") from None
    # Numbers that shapes are computed from, such as the scales of a resize. An image takes part by its shape alone.
    shaping = [step.input[i] for step in steps for i in KNOWN.get(step.op_type, ()) if i < len(step.input)]
    shaping = _ancestors(shaping, steps, stop=("Shape",))
    variables = {name: x for name, x in constants.items() if x.dtype == np.float32 and name not in shaping}
    known = {name: x for name, x in constants.items() if name not in variables}
    image, shape, channels_last = _image(path, graph)
    pixels = _takes_pixels(image, nodes, constants)
    return measured(Network(path, variables, known, tuple(nodes), image, shape, channels_last, pixels, output))


def _parse(path: Path) -> Any:
    """Return the file's ModelProto, with all tensors in it."""
    if not path.is_file():
        raise BadInput(f"{path}: no such file")
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ModuleNotFoundError:
        raise BadInput(f"{path}: ONNX files are read by a package of that name; run: pip install onnx") from None
    try:
        return onnx.load(str(path), format="protobuf")
    except (DecodeError, onnx.checker.ValidationError, OSError, *FAULTS) as fault:
        raise BadInput(
            f"{path}: expected an ONNX file, and beside it what it keeps outside; it is damaged or that is missing"
            f" ({fault})"
        ) from None


def _image(path: Path, graph: Any) -> tuple[str, tuple[int, int, int], bool]:
    """Return the name and the shape (c, h, w) of the one image that a graph takes, and whether channels come last."""
    from onnx import TensorProto

    weights = {tensor.name for tensor in graph.initializer}
    # Sizes that are left open are 0 or -1.
    inputs = {
        value.name: [max(size.dim_value, 0) for size in value.type.tensor_type.shape.dim]
        for value in graph.input
        if value.name not in weights
    }
    kinds = {value.type.tensor_type.elem_type for value in graph.input if value.name in inputs}
    if len(inputs) == 1 and kinds <= {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE}:
        ((name, sizes),) = inputs.items()
        if len(sizes) == 4 and sizes[0] in (0, 1) and (sizes[1] in (1, 3) or sizes[3] in (1, 3)):
            channels_last = sizes[1] not in (1, 3)
            height, width, channels = sizes[1:] if channels_last else (*sizes[2:], sizes[1])
            return name, (channels, height or OPEN_SIZE, width or OPEN_SIZE), channels_last
    found = ", ".join(f"{name} {sizes}" for name, sizes in inputs.items()) or "none"
    raise BadInput(
        f"{path}: expected one floating-point input [batch, channels, height, width] or [batch, height, width,"
        f" channels] with a batch of 1, or an open one (0), and 1 or 3 channels; found {found}"
    )


def _takes_pixels(image: str, nodes: list[Node], constants: dict[str, np.ndarray]) -> bool:
    """Return whether the first arithmetic on an image fits values in [0, 255] alone."""
    for node in nodes:
        if image not in node.inputs or node.operator == "Shape":
            continue
        if node.operator not in ("Identity", "Cast", "Transpose"):
            fits = FROM_PIXELS.get(node.operator, lambda constant: False)
            return any(fits(float(constants[name].mean())) for name in node.inputs if name in constants)
        image = node.outputs[0]
    return False


def _ancestors(names: Iterable[str], steps: Any, stop: Container[str] = ()) -> set[str]:
    """Return the names of all values that some are computed from, themselves included.

    Args:
        names: of the values.
        steps: nodes in order.
        stop: operators whose inputs do not count.
    """
    wanted = set(names) - {""}
    for step in reversed(steps):
        if step.op_type not in stop and wanted.intersection(step.output):
            wanted.update(name for name in step.input if name)
    return wanted


def _attributes(step: Any) -> dict[str, Any]:
    """Return a node's attributes as plain values, in the order of the file."""
    from onnx import TensorProto, helper

    found = {}
    for attribute in step.attribute:
        value: Any = helper.get_attribute_value(attribute)
        if attribute.name == "to":
            value = helper.tensor_dtype_to_np_dtype(attribute.i)
        elif isinstance(value, TensorProto):
            value = _array(value)
        elif isinstance(value, bytes):
            value = value.decode()
        found[attribute.name] = value
    return found


def _array(tensor: Any) -> np.ndarray:
    """Return a tensor's numbers."""
    from onnx import numpy_helper

    return _plain(numpy_helper.to_array(tensor))


def _plain(numbers: Any) -> np.ndarray:
    """Return numbers as an array of float32, if they are floating-point of any width, else of int64 or bool."""
    array = np.asarray(numbers)
    if array.dtype == bool:
        return array
    if jnp.issubdtype(array.dtype, np.floating):
        return np.asarray(array, np.float32, order="C")
    if not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"expected numbers, found {array.dtype}")
    return array.astype(np.int64)
