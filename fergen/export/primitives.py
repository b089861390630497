"""JAX's primitives as ONNX operators of opset 18: what the networks of fergen.models are made of.

Each rule takes the graph, the equation and its inputs and returns its outputs. What depends on constants alone is
computed here and now.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from fergen.core.errors import BadInput
from fergen.export.graph import Graph, Value, constant, same

NCHW = (0, 3, 1, 2)
# Name -> ONNX operator, numpy's function.
ELEMENTWISE: dict[str, tuple[str, Callable[..., Any]]] = {
    "abs": ("Abs", np.abs),
    "add": ("Add", np.add),
    "add_any": ("Add", np.add),
    "and": ("And", np.logical_and),
    "cos": ("Cos", np.cos),
    "div": ("Div", np.divide),
    "eq": ("Equal", np.equal),
    "exp": ("Exp", np.exp),
    "floor": ("Floor", np.floor),
    "ge": ("GreaterOrEqual", np.greater_equal),
    "gt": ("Greater", np.greater),
    "le": ("LessOrEqual", np.less_equal),
    "log": ("Log", np.log),
    "logistic": ("Sigmoid", lambda x: 1 / (1 + np.exp(-x))),
    "lt": ("Less", np.less),
    "max": ("Max", np.maximum),
    "min": ("Min", np.minimum),
    "mul": ("Mul", np.multiply),
    "neg": ("Neg", np.negative),
    "not": ("Not", np.logical_not),
    "or": ("Or", np.logical_or),
    "pow": ("Pow", np.power),
    "sin": ("Sin", np.sin),
    "sqrt": ("Sqrt", np.sqrt),
    "sub": ("Sub", np.subtract),
    "tanh": ("Tanh", np.tanh),
}
SAME = ("stop_gradient", "copy", "copy_p", "optimization_barrier", "sharding_constraint", "reduce_precision")
CALLS = ("jit", "pjit", "closed_call", "custom_jvp_call", "custom_vjp_call", "remat", "checkpoint")


def translate(graph: Graph, equation: Any, given: list[Value]) -> list[Value]:
    """Translate one equation.

    Raises:
        BadInput: its primitive has no form here.
    """
    name = equation.primitive.name
    if name in SAME:
        return given
    shape = tuple(equation.outvars[0].aval.shape)
    if name in ELEMENTWISE:
        return [elementwise(graph, *ELEMENTWISE[name], given, shape)]
    if name in RULES:
        return RULES[name](graph, equation.params, given, shape)
    raise BadInput(f"export: the network computes '{name}', which has no ONNX form here; export it as .stablehlo")


def elementwise(graph: Graph, op: str, compute: Callable, given: list[Value], shape: tuple) -> Value:
    """Apply an operator that broadcasts."""
    rank = len(shape)
    arrays = [value.array for value in given if value.array is not None]
    if len(arrays) == len(given):
        found = np.asarray(compute(*(a.reshape((1,) * (rank - a.ndim) + a.shape) for a in arrays)))
        return constant(found, shape)
    order = next((v.order for v in given if v.array is None and len(v.shape) == rank and not same(v.order)), None)
    order = tuple(range(rank)) if order is None else order
    ready = [graph.ordered(value, order) if len(value.shape) == rank else value for value in given]
    if op == "Max" and ready[1].array is not None and not ready[1].array.any() and ready[1].array.dtype == np.float32:
        (name,) = graph.emit("Relu", graph.name(ready[0]))
    else:
        (name,) = graph.emit(op, *(graph.name(value) for value in ready))
    dims = tuple(max((v.dims[i] for v in given if len(v.shape) == rank), key=_breadth) for i in range(rank))
    return Value(shape, order, dims, name)


def _breadth(size: Any) -> float:
    """Order sizes: 1, others, the number of images."""
    return size if isinstance(size, int) else np.inf


def rsqrt(graph, params, given, shape):
    root = elementwise(graph, "Sqrt", np.sqrt, given, shape)
    return [elementwise(graph, "Reciprocal", np.reciprocal, [root], shape)]


def square(graph, params, given, shape):
    return [elementwise(graph, "Mul", np.multiply, [given[0], given[0]], shape)]


def integer_pow(graph, params, given, shape):
    exponent = constant(np.asarray(params["y"], np.float32))
    return [elementwise(graph, "Pow", np.power, [given[0], exponent], shape)]


def select(graph, params, given, shape):
    which, first, second = given
    return [elementwise(graph, "Where", np.where, [which, second, first], shape)]


def clamp(graph, params, given, shape):
    least, x, most = given
    raised = elementwise(graph, "Max", np.maximum, [x, least], shape)
    return [elementwise(graph, "Min", np.minimum, [raised, most], shape)]


def convert(graph, params, given, shape):
    (value,), dtype = given, np.dtype(params["new_dtype"])
    if value.array is not None:
        return [replace(value, array=value.array.astype(dtype))]
    from onnx import helper

    (name,) = graph.emit("Cast", graph.name(value), to=helper.np_dtype_to_tensor_dtype(dtype))
    return [replace(value, name=name)]


def iota(graph, params, given, shape):
    axis = params["dimension"]
    line = np.arange(shape[axis], dtype=params["dtype"])
    return [constant(line.reshape([-1 if i == axis else 1 for i in range(len(shape))]), shape)]


def broadcast(graph, params, given, shape):
    (value,), where = given, params["broadcast_dimensions"]
    dims = [1] * len(shape)
    for axis, size in zip(where, value.dims):
        dims[axis] = size
    if value.array is not None:
        return [constant(value.array.reshape(dims), shape)]
    if len(value.shape) == len(shape):
        return [replace(value, shape=shape)]
    value = graph.ordered(value, range(len(value.shape)))
    new = [axis for axis in range(len(shape)) if axis not in where]
    (name,) = graph.emit("Unsqueeze", graph.name(value), graph.held(new, np.int64))
    return [Value(shape, tuple(range(len(shape))), tuple(dims), name)]


def reshape(graph, params, given, shape):
    value = graph.plain(given[0])
    if value.array is not None:
        return [constant(value.array.reshape(shape))]
    sizes = [size if isinstance(size, int) else -1 for size in shape]
    if sizes.count(-1) > 1:
        raise BadInput(f"export: expected at most one size that is not fixed, found {shape}")
    (name,) = graph.emit("Reshape", graph.name(value), graph.held(sizes, np.int64))
    return [Value(shape, tuple(range(len(shape))), shape, name)]


def transpose(graph, params, given, shape):
    (value,), axes = given, params["permutation"]
    dims = tuple(value.dims[axis] for axis in axes)
    if value.array is not None:
        return [constant(value.array.transpose(axes), shape)]
    return [Value(shape, tuple(axes.index(axis) for axis in value.order), dims, value.name)]


def squeeze(graph, params, given, shape):
    return reshape(graph, params, given, shape)


def concatenate(graph, params, given, shape):
    axis = params["dimension"]
    arrays = [(value.array, value.shape[axis]) for value in given if value.array is not None]
    if len(arrays) == len(given):
        dims = list(np.broadcast_shapes(*(a.shape[:axis] + a.shape[axis + 1 :] for a, _ in arrays)))
        parts = [np.broadcast_to(a, (*dims[:axis], size, *dims[axis:])) for a, size in arrays]
        return [constant(np.concatenate(parts, axis), shape)]
    order = next((value.order for value in given if value.array is None), given[0].order)
    parts = [graph.full(graph.ordered(value, order)) for value in given]
    (name,) = graph.emit("Concat", *(graph.name(part) for part in parts), axis=order.index(axis))
    return [Value(shape, order, shape, name)]


def stack(graph, params, given, shape):
    axis, thin = params["axis"], (*shape[: params["axis"]], 1, *shape[params["axis"] + 1 :])
    where = tuple(i for i in range(len(shape)) if i != axis)
    parts = [broadcast(graph, {"broadcast_dimensions": where}, [graph.full(value)], thin)[0] for value in given]
    return concatenate(graph, {"dimension": axis}, parts, shape)


def split(graph, params, given, shape):
    value, axis, sizes = graph.full(given[0]), params["axis"], [int(size) for size in params["sizes"]]
    shapes = [(*value.shape[:axis], size, *value.shape[axis + 1 :]) for size in sizes]
    if value.array is not None:
        return [constant(part) for part in np.split(value.array, np.cumsum(sizes)[:-1], axis)]
    names = graph.emit("Split", graph.name(value), graph.held(sizes, np.int64), n=len(sizes), axis=value.stored(axis))
    return [Value(shape, value.order, shape, name) for shape, name in zip(shapes, names)]


def cut(graph: Graph, value: Value, axis: int, start: int, stop: int, step: int) -> Value:
    """Cut an axis of a value."""
    count = -(-(stop - start) // step)
    shape = (*value.shape[:axis], count, *value.shape[axis + 1 :])
    value = graph.full(value)
    if value.array is not None:
        return constant(value.array[(slice(None),) * axis + (slice(start, stop, step),)])
    numbers = [graph.held([x], np.int64) for x in (start, stop, value.stored(axis), step)]
    (name,) = graph.emit("Slice", graph.name(value), *numbers)
    return Value(shape, value.order, shape, name)


def sliced(graph, params, given, shape):
    (value,) = given
    for axis, (start, stop) in enumerate(zip(params["start_indices"], params["limit_indices"])):
        step = (params["strides"] or (1,) * len(shape))[axis]
        # The number of images is never cut: it compares equal to itself alone.
        if (start, step) != (0, 1) or stop != value.shape[axis]:
            value = cut(graph, value, axis, start, stop, step)
    return [value]


def gather(graph, params, given, shape):
    """A piece at a known place, or rows by number along one axis."""
    value, index = given
    numbers = params["dimension_numbers"]
    axes, dropped = numbers.start_index_map, numbers.collapsed_slice_dims
    if index.array is not None and index.array.ndim == 1 and not numbers.operand_batching_dims:
        for axis, start in zip(axes, map(int, index.array)):
            value = cut(graph, value, axis, start, start + params["slice_sizes"][axis], 1)
        return reshape(graph, {}, [value], shape) if dropped else [value]
    axis = axes[0]
    if len(index.shape) != 2 or len(axes) != 1 or dropped != (axis,):
        raise BadInput("export: expected a list of indices; export the network as .stablehlo")
    (at,) = (i for i in range(len(shape)) if i not in numbers.offset_dims)
    if at != axis:
        raise BadInput("export: expected rows to stay on their axis; export the network as .stablehlo")
    if index.array is not None:
        rows = index.array[:, 0]
        steps = np.unique(np.diff(rows))
        if len(steps) == 1 and steps[0] > 0:
            return [cut(graph, value, axis, int(rows[0]), int(rows[-1]) + 1, int(steps[0]))]
    rows = reshape(graph, {}, [index], index.shape[:1])[0]
    value = graph.full(value)
    (name,) = graph.emit("Gather", graph.name(value), graph.name(rows), axis=value.stored(axis))
    return [Value(shape, value.order, shape, name)]


def pad(graph, params, given, shape):
    value, filling = graph.full(given[0]), given[1]
    config = params["padding_config"]
    if any(inner for _, _, inner in config) or filling.array is None:
        raise BadInput("export: expected padding outside of images; export the network as .stablehlo")
    return [padded(graph, value, [(low, high) for low, high, _ in config], shape, float(filling.array))]


def padded(graph: Graph, value: Value, widths: list[tuple[int, int]], shape: tuple, filling: float = 0.0) -> Value:
    """Pad a value in JAX's axes; negative widths cut."""
    ends = [widths[axis][side] for side in (0, 1) for axis in value.order]
    (name,) = graph.emit("Pad", graph.name(value), graph.held(ends, np.int64), graph.held(filling, np.float32))
    return Value(shape, value.order, shape, name)


def reduction(op: str, compute: Callable) -> Callable:
    """Return the rule of a reduction."""

    def rule(graph, params, given, shape):
        value, axes = graph.full(given[0]), params["axes"]
        if value.array is not None:
            return [constant(compute(value.array, axis=tuple(axes)))]
        stored = sorted(value.stored(axis) for axis in axes)
        (name,) = graph.emit(op, graph.name(value), graph.held(stored, np.int64), keepdims=0)
        left = [axis for axis in value.order if axis not in axes]
        return [Value(shape, tuple(sorted(left).index(axis) for axis in left), shape, name)]

    return rule


def window(op: str) -> Callable:
    """Return the rule of a pooling."""

    def rule(graph, params, given, shape):
        value = graph.full(graph.ordered(given[0], NCHW))
        sizes, strides, pads = (params[n] for n in ("window_dimensions", "window_strides", "padding"))
        dilations = {*params["base_dilation"], *params["window_dilation"]}
        if len(shape) != 4 or (sizes[0], sizes[3]) != (1, 1) or dilations != {1}:
            raise BadInput("export: expected windows over rows and columns of images")
        attributes: dict[str, Any] = {"kernel_shape": list(sizes[1:3]), "strides": list(strides[1:3])}
        attributes["pads"] = [pads[axis][side] for side in (0, 1) for axis in (1, 2)]
        if op == "AveragePool":
            attributes["count_include_pad"] = 1
        (name,) = graph.emit(op, graph.name(value), **attributes)
        found = Value(shape, NCHW, shape, name)
        if op == "MaxPool":
            return [found]
        return [
            elementwise(graph, "Mul", np.multiply, [found, constant(np.asarray(np.prod(sizes), np.float32))], shape)
        ]

    return rule


def convolution(graph, params, given, shape):
    value, kernel = graph.full(graph.ordered(given[0], NCHW)), given[1].array
    numbers = params["dimension_numbers"]
    if kernel is None or tuple(numbers.lhs_spec) != NCHW or tuple(numbers.out_spec) != NCHW:
        raise BadInput("export: expected convolutions of NHWC images with fixed kernels; export it as .stablehlo")
    kernel = np.broadcast_to(kernel, given[1].shape).transpose(numbers.rhs_spec)
    pads, up, groups = list(params["padding"]), params["lhs_dilation"], params["feature_group_count"]
    if set(up) != {1}:
        return [upward(graph, value, kernel, params, shape)]
    if min(min(ends) for ends in pads) < 0:
        cuts = [(min(low, 0), min(high, 0)) for low, high in pads]
        sizes = [size + sum(ends) for size, ends in zip(value.shape[1:3], cuts)]
        value = padded(graph, value, [(0, 0), *cuts, (0, 0)], (value.shape[0], *sizes, value.shape[3]))
        pads = [(max(low, 0), max(high, 0)) for low, high in pads]
    (name,) = graph.emit(
        "Conv",
        graph.name(value),
        graph.held(kernel),
        kernel_shape=list(kernel.shape[2:]),
        strides=list(params["window_strides"]),
        dilations=list(params["rhs_dilation"]),
        pads=[ends[side] for side in (0, 1) for ends in pads],
        group=groups,
    )
    return [Value(shape, NCHW, shape, name)]


def upward(graph: Graph, value: Value, kernel: np.ndarray, params: Any, shape: tuple) -> Value:
    """A convolution of an image with zeros between its pixels: the transpose of one, with its kernel turned round."""
    plain = {*params["window_strides"], *params["rhs_dilation"], params["feature_group_count"]} == {1}
    if not plain:
        raise BadInput("export: expected a plain transposed convolution; export the network as .stablehlo")
    # The transposed convolution cuts off k - 1 - p where the other pads by p; where p is more, zeros are left to add.
    cuts = [(k - 1 - low, k - 1 - high) for k, (low, high) in zip(kernel.shape[2:], params["padding"])]
    (name,) = graph.emit(
        "ConvTranspose",
        graph.name(value),
        graph.held(kernel.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1]),
        kernel_shape=list(kernel.shape[2:]),
        strides=list(params["lhs_dilation"]),
        pads=[max(ends[side], 0) for side in (0, 1) for ends in cuts],
    )
    more = [(max(-low, 0), max(-high, 0)) for low, high in cuts]
    sizes = [size - sum(ends) for size, ends in zip(shape[1:3], more)]
    found = Value((shape[0], *sizes, shape[3]), NCHW, (shape[0], *sizes, shape[3]), name)
    return padded(graph, found, [(0, 0), *more, (0, 0)], shape) if any(map(any, more)) else found


def dot(graph, params, given, shape):
    """Products: a matrix from the right where the second is one and fixed, else as an einsum."""
    (left, right), ((over, other), (rows, columns)) = given, params["dimension_numbers"]
    if right.array is not None and len(right.shape) == 2 and not rows and tuple(over) == (len(left.shape) - 1,):
        matrix = np.broadcast_to(right.array, right.shape)
        matrix = matrix if tuple(other) == (0,) else matrix.T
        if left.array is not None and left.dims[-1] == left.shape[-1]:
            return [constant(left.array @ matrix, shape)]
        left = graph.plain(left)
        (name,) = graph.emit("MatMul", graph.name(left), graph.held(matrix))
        return [Value(shape, tuple(range(len(shape))), shape, name)]
    letters = iter("abcdefghijklmnopqrstuvwxyz")
    first = [next(letters) for _ in left.shape]
    second = [next(letters) for _ in right.shape]
    for i, j in (*zip(over, other), *zip(rows, columns)):
        second[j] = first[i]
    batch = [first[i] for i in rows]
    mine = [first[i] for i in range(len(first)) if i not in (*over, *rows)]
    theirs = [second[j] for j in range(len(second)) if j not in (*other, *columns)]
    left, right = graph.full(left), graph.full(right)
    stored = ["".join(axes[axis] for axis in value.order) for axes, value in ((first, left), (second, right))]
    equation = f"{stored[0]},{stored[1]}->{''.join((*batch, *mine, *theirs))}"
    (name,) = graph.emit("Einsum", graph.name(left), graph.name(right), equation=equation)
    return [Value(shape, tuple(range(len(shape))), shape, name)]


RULES: dict[str, Callable] = {
    "broadcast_in_dim": broadcast,
    "clamp": clamp,
    "concatenate": concatenate,
    "conv_general_dilated": convolution,
    "convert_element_type": convert,
    "dot_general": dot,
    "gather": gather,
    "integer_pow": integer_pow,
    "iota": iota,
    "pad": pad,
    "reduce_max": reduction("ReduceMax", np.max),
    "reduce_min": reduction("ReduceMin", np.min),
    "reduce_sum": reduction("ReduceSum", np.sum),
    "reduce_window_max": window("MaxPool"),
    "reduce_window_sum": window("AveragePool"),
    "reshape": reshape,
    "rsqrt": rsqrt,
    "select_n": select,
    "slice": sliced,
    "split": split,
    "square": square,
    "squeeze": squeeze,
    "stack": stack,
    "transpose": transpose,
}
