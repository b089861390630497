"""The operators of ONNX that networks of faces are made of, in JAX: a table from name to function.

A function takes its node and the node's inputs. What is known before there is any image, such as a shape and the
arithmetic on it, is a numpy array and stays one; the rest are jax arrays. A function raises ValueError where its node
asks for what it cannot do.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from fergen.convert import onnx_layers as layers
from fergen.convert.onnx_layers import Node

Operator = Callable[..., Any]


def _library(*inputs: Any) -> Any:
    """Return numpy where all inputs are known, else jax.numpy."""
    return jnp if any(isinstance(x, jax.Array) for x in inputs) else np


def _ints(x: Any) -> list[int]:
    """Return integers that must be known before there is any image."""
    return [int(i) for i in np.asarray(x).ravel()]


def _alike(name: str) -> Operator:
    """Return an operator that numpy has too, under a name of its own."""
    return lambda node, *inputs: getattr(_library(*inputs), name)(*inputs)


def _folded(name: str) -> Operator:
    """Return an operator of any number of inputs that numpy has for two."""
    return lambda node, *inputs: functools.reduce(getattr(_library(*inputs), name), inputs)


def _divide(node: Node, x: Any, y: Any) -> Any:
    quotient = x / y
    return _library(x, y).trunc(quotient).astype(x.dtype) if np.issubdtype(x.dtype, np.integer) else quotient


def _cast(node: Node, x: Any) -> Any:
    to = node.attributes["to"]
    if jnp.issubdtype(to, np.floating):
        # Half precision is how a file stores numbers; we compute with what we were given.
        return x if jnp.issubdtype(x.dtype, np.floating) else x.astype(np.float32)
    return x.astype(jax.dtypes.canonicalize_dtype(to) if isinstance(x, jax.Array) else to)


def _clip(node: Node, x: Any, low: Any = None, high: Any = None) -> Any:
    low = node.attributes.get("min") if low is None else low
    high = node.attributes.get("max") if high is None else high
    return jnp.clip(x, low, high)


def _gelu(node: Node, x: Any) -> Any:
    return jax.nn.gelu(x, approximate=node.attributes.get("approximate") == "tanh")


def _hard_sigmoid(node: Node, x: Any) -> Any:
    return jnp.clip(node.attributes.get("alpha", 0.2) * x + node.attributes.get("beta", 0.5), 0, 1)


def _softmax(node: Node, x: Any) -> Any:
    if node.opset >= 13:
        return jax.nn.softmax(x, node.attributes.get("axis", -1))
    # Before, all axes from the named one on were one.
    axis = node.attributes.get("axis", 1) % x.ndim
    return jax.nn.softmax(x.reshape(*x.shape[:axis], -1), -1).reshape(x.shape)


def _reduced(method: str) -> Operator:
    """Return the operator that reduces axes by a method of arrays."""

    def reduce(node: Node, x: Any, axes: Any = None) -> Any:
        axes = _ints(node.attributes.get("axes", []) if axes is None else axes)
        if not axes and node.attributes.get("noop_with_empty_axes", 0):
            return x
        return getattr(x, method)(axis=tuple(axes) or None, keepdims=bool(node.attributes.get("keepdims", 1)))

    return reduce


def _reduce_l2(node: Node, x: Any, axes: Any = None) -> Any:
    return jnp.sqrt(_reduced("sum")(node, jnp.square(x), axes))


def _global(method: str) -> Operator:
    return lambda node, x: getattr(x, method)(axis=tuple(range(2, x.ndim)), keepdims=True)


def _lp_norm(node: Node, x: Any) -> Any:
    axis, order = node.attributes.get("axis", -1), node.attributes.get("p", 2)
    return x / jnp.linalg.norm(x, ord=order, axis=axis, keepdims=True)


def _shape(node: Node, x: Any) -> Any:
    return np.array(x.shape[node.attributes.get("start", 0) : node.attributes.get("end")], np.int64)


def _constant_of_shape(node: Node, shape: Any) -> Any:
    # A view takes no memory, whatever a damaged file asks for.
    return np.broadcast_to(node.attributes.get("value", np.float32(0)).reshape(()), _ints(shape))


def _reshape(node: Node, x: Any, shape: Any) -> Any:
    sizes = _ints(shape)
    if not node.attributes.get("allowzero", 0):
        sizes = [x.shape[i] if size == 0 else size for i, size in enumerate(sizes)]
    return x.reshape(sizes)


def _flatten(node: Node, x: Any) -> Any:
    axis = node.attributes.get("axis", 1)
    return x.reshape(math.prod(x.shape[:axis]), -1)


def _squeeze(node: Node, x: Any, axes: Any = None) -> Any:
    axes = node.attributes.get("axes") if axes is None else axes
    return x.squeeze(None if axes is None else tuple(_ints(axes)))


def _unsqueeze(node: Node, x: Any, axes: Any = None) -> Any:
    axes = node.attributes["axes"] if axes is None else axes
    return _library(x).expand_dims(x, tuple(_ints(axes)))


def _split(node: Node, x: Any, sizes: Any = None) -> Any:
    axis, parts = node.attributes.get("axis", 0), len(node.outputs)
    sizes = node.attributes.get("split") if sizes is None else sizes
    # Without sizes the parts are equal, but for the last.
    step = -(-x.shape[axis] // parts)
    ends = range(step, step * parts, step) if sizes is None else np.cumsum(_ints(sizes))[:-1]
    return _library(x).split(x, list(ends), axis)


def _slice(node: Node, x: Any, *where: Any) -> Any:
    named = dict(zip(("starts", "ends", "axes", "steps"), where)) or node.attributes
    starts, ends = _ints(named["starts"]), _ints(named["ends"])
    axes, steps = (None if named.get(name) is None else _ints(named[name]) for name in ("axes", "steps"))
    index = [slice(None)] * x.ndim
    for axis, *span in zip(axes or range(len(starts)), starts, ends, steps or [1] * len(starts)):
        index[axis] = slice(*span)
    return x[tuple(index)]


def _pad(node: Node, x: Any, pads: Any = None, value: Any = None, axes: Any = None) -> Any:
    flat = _ints(node.attributes["pads"] if pads is None else pads)
    widths = [(0, 0)] * x.ndim
    for i, axis in enumerate(range(x.ndim) if axes is None else _ints(axes)):
        widths[axis] = (flat[i], flat[i + len(flat) // 2])
    mode = node.attributes.get("mode", "constant")
    if mode != "constant":
        return jnp.pad(x, widths, mode)
    value = node.attributes.get("value", 0.0) if value is None else value.reshape(())
    return jnp.pad(x, widths, mode, constant_values=value)


OPERATORS: dict[str, Operator] = {
    "Abs": _alike("abs"),
    "Add": _alike("add"),
    "AveragePool": layers.average_pool,
    "BatchNormalization": layers.batch_norm,
    "Cast": _cast,
    "Clip": _clip,
    "Concat": lambda node, *inputs: _library(*inputs).concatenate(inputs, node.attributes["axis"]),
    "ConstantOfShape": _constant_of_shape,
    "Conv": layers.convolve,
    "Div": _divide,
    "Dropout": lambda node, x, *rates: x,
    "Elu": lambda node, x: jax.nn.elu(x, node.attributes.get("alpha", 1.0)),
    "Equal": _alike("equal"),
    "Erf": lambda node, x: lax.erf(x),
    "Exp": _alike("exp"),
    "Expand": lambda node, x, shape: _library(x).broadcast_to(x, np.broadcast_shapes(x.shape, tuple(_ints(shape)))),
    "Flatten": _flatten,
    "Floor": _alike("floor"),
    "Gather": lambda node, x, index: _library(x, index).take(x, index, axis=node.attributes.get("axis", 0)),
    "Gelu": _gelu,
    "Gemm": layers.gemm,
    "GlobalAveragePool": _global("mean"),
    "GlobalMaxPool": _global("max"),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": lambda node, x: x * jnp.clip(x / 6 + 0.5, 0, 1),
    "Identity": lambda node, x: x,
    "InstanceNormalization": layers.instance_norm,
    "LayerNormalization": layers.layer_norm,
    "LeakyRelu": lambda node, x: jax.nn.leaky_relu(x, node.attributes.get("alpha", 0.01)),
    "Log": _alike("log"),
    "LpNormalization": _lp_norm,
    "MatMul": _alike("matmul"),
    "Max": _folded("maximum"),
    "MaxPool": layers.max_pool,
    "Min": _folded("minimum"),
    "Mod": lambda node, *inputs: _alike("fmod" if node.attributes.get("fmod", 0) else "mod")(node, *inputs),
    "Mul": _alike("multiply"),
    "Neg": _alike("negative"),
    "PRelu": lambda node, x, slope: jnp.where(x >= 0, x, slope * x),
    "Pad": _pad,
    "Pow": _alike("power"),
    "Reciprocal": lambda node, x: 1 / x,
    "ReduceL2": _reduce_l2,
    "ReduceMax": _reduced("max"),
    "ReduceMean": _reduced("mean"),
    "ReduceProd": _reduced("prod"),
    "ReduceSum": _reduced("sum"),
    "Relu": lambda node, x: jax.nn.relu(x),
    "Reshape": _reshape,
    "Resize": layers.resize,
    "Shape": _shape,
    "Sigmoid": lambda node, x: jax.nn.sigmoid(x),
    "Slice": _slice,
    "Softmax": _softmax,
    "Split": _split,
    "Sqrt": _alike("sqrt"),
    "Squeeze": _squeeze,
    "Sub": _alike("subtract"),
    "Sum": _folded("add"),
    "Tanh": _alike("tanh"),
    "Transpose": lambda node, x: x.transpose(node.attributes.get("perm")),
    "Unsqueeze": _unsqueeze,
    "Upsample": layers.resize,
    "Where": _alike("where"),
}
# The inputs, by number, that shapes are read from: floating-point ones too must be known before there is any image.
KNOWN = {"ConstantOfShape": (0,), "Expand": (1,), "Reshape": (1,), "Resize": (1, 2, 3), "Upsample": (1,)}
