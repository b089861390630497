"""A function with its weights as an ONNX model, any number of images at once.

The function is traced by JAX with a symbolic number of images, and its primitives are translated one by one. The
usual converter, jax2onnx, is not used: of its versions, the only one that can be installed beside the orbax-checkpoint
of a fresh environment (0.13.0) gave a wrong graph of one of our generators, and no version took all of them with an
open number of images.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np
from jax.extend import core

from fergen.core.errors import BadInput
from fergen.export.fold import folded
from fergen.export.functions import BATCH, Exported
from fergen.export.graph import Graph, Node, Value, constant
from fergen.export.primitives import CALLS, translate

OPSET, IR_VERSION = 18, 9
PRODUCER = "fergen"


def to_onnx(function: Exported) -> Any:
    """Convert a function.

    Args:
        function: with its weights.

    Returns:
        An onnx.ModelProto, checked for form. Inputs that have a default may be left out.

    Raises:
        BadInput: the package onnx is missing, or the function computes what has no form here.
    """
    try:
        import onnx
        from onnx import helper, numpy_helper
    except ModuleNotFoundError:
        raise BadInput("export: .onnx files are written by a package of that name; run: pip install onnx") from None
    (batch,) = jax.export.symbolic_shape(BATCH)
    shapes = [
        jax.ShapeDtypeStruct([batch if size == BATCH else size for size in given.shape], given.dtype)
        for given in function.inputs
    ]
    closed = jax.make_jaxpr(function.call)(*shapes)
    graph = Graph(function.inputs[0].name)
    values = [
        Value(shape.shape, tuple(range(len(shape.shape))), shape.shape, given.name)
        for given, shape in zip(function.inputs, shapes)
    ]
    found = [graph.plain(value) for value in walked(graph, closed.jaxpr, closed.consts, values)]
    for name, value in zip(function.outputs, found):
        graph.nodes.append(Node("Identity", (graph.name(value),), (name,), {}))
    nodes, constants = folded(graph, function.outputs)

    def described(name: str, shape: Any, dtype: Any) -> Any:
        sizes = [size if isinstance(size, int) else BATCH for size in shape]
        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), sizes)

    optional = [
        numpy_helper.from_array(np.asarray(x.default), x.name) for x in function.inputs if x.default is not None
    ]
    avals = [variable.aval for variable in closed.jaxpr.outvars]
    made = helper.make_graph(
        [helper.make_node(node.op, node.inputs, node.outputs, **node.attributes) for node in nodes],
        function.name,
        [described(given.name, given.shape, given.dtype) for given in function.inputs],
        [described(name, aval.shape, aval.dtype) for name, aval in zip(function.outputs, avals)],
        [*optional, *(numpy_helper.from_array(np.ascontiguousarray(x), name) for name, x in constants.items())],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    model.producer_name = PRODUCER
    onnx.checker.check_model(model)
    return model


def walked(graph: Graph, jaxpr: Any, consts: list, given: list[Value]) -> list[Value]:
    """Translate a traced program into nodes; returns its outputs."""
    known: dict[Any, Value] = dict(zip(jaxpr.constvars, (constant(np.asarray(x)) for x in consts)))
    known.update(zip(jaxpr.invars, given))

    def read(atom: Any) -> Value:
        return constant(np.asarray(atom.val)) if isinstance(atom, core.Literal) else known[atom]

    for equation in jaxpr.eqns:
        inputs = [read(atom) for atom in equation.invars]
        if equation.primitive.name in CALLS:
            inner = next(inner_programs(equation.params))
            found = walked(graph, inner.jaxpr, inner.consts, inputs)
        else:
            found = translate(graph, equation, inputs)
        known.update(zip(equation.outvars, found))
    return [read(atom) for atom in jaxpr.outvars]


def inner_programs(params: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the programs that a call holds."""
    for value in params.values():
        if isinstance(value, core.ClosedJaxpr):
            yield value
        elif isinstance(value, core.Jaxpr):
            yield core.ClosedJaxpr(value, ())
