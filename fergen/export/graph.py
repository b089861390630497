"""A graph of ONNX operators in the making: nodes, constants, and the values between them.

JAX's images are NHWC, ONNX's convolutions NCHW. A value says in which order its axes are stored, and operators that do
not mind keep that order, so that only what needs another is preceded by a transposition. ONNX broadcasts by itself, so
that a value which JAX repeats along an axis keeps one entry there until an operator needs them all.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from fergen.core.errors import BadInput

Size = Any  # an int, or the symbolic number of images


class Node(NamedTuple):
    """An operator: names of what it takes and gives, and its attributes."""

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]


@dataclass(frozen=True)
class Value:
    """A value of the traced function.

    Attributes:
        shape: as JAX has it.
        order: JAX's axis that each stored axis is.
        dims: sizes in JAX's order as stored: those of `shape`, or 1 where the value repeats.
        name: in the graph; None of a constant.
        array: of a constant, in JAX's order, of sizes `dims`.
    """

    shape: tuple[Size, ...]
    order: tuple[int, ...]
    dims: tuple[Size, ...]
    name: str | None = None
    array: np.ndarray | None = None

    def stored(self, axis: int) -> int:
        """Return where an axis is stored."""
        return self.order.index(axis)


def same(order: Sequence[int]) -> bool:
    """Whether axes are stored as JAX has them."""
    return tuple(order) == tuple(range(len(order)))


def constant(array: np.ndarray, shape: tuple[Size, ...] | None = None) -> Value:
    """Return the value of an array, of the given shape if it repeats."""
    array = np.asarray(array)
    return Value(tuple(array.shape if shape is None else shape), tuple(range(array.ndim)), array.shape, array=array)


class Graph:
    """Nodes and constants; `batch` is a name of [the number of images], once something needs it."""

    def __init__(self, first: str):
        self.nodes: list[Node] = []
        self.constants: dict[str, np.ndarray] = {}
        self._known: dict[str, str] = {}
        self._first, self._batch = first, ""

    def emit(self, op: str, *inputs: str, n: int = 1, **attributes: Any) -> list[str]:
        """Add a node; returns the names of its outputs."""
        outputs = [f"{op.lower()}_{len(self.nodes)}" + (f"_{i}" if n > 1 else "") for i in range(n)]
        self.nodes.append(Node(op, inputs, tuple(outputs), attributes))
        return outputs

    def held(self, array: Any, dtype: Any = None) -> str:
        """Return the name of a constant; equal ones are held once."""
        array = np.asarray(array, dtype)
        digest = hashlib.sha256(f"{array.dtype}{array.shape}".encode() + array.tobytes()).hexdigest()
        if digest not in self._known:
            self._known[digest] = name = f"constant_{len(self.constants)}"
            self.constants[name] = array
        return self._known[digest]

    def name(self, value: Value) -> str:
        """Return the name under which a value is stored, in its order."""
        if value.name is not None:
            return value.name
        assert value.array is not None
        return self.held(value.array.transpose(value.order))

    def ordered(self, value: Value, order: Sequence[int]) -> Value:
        """Return a value stored in another order of its axes."""
        order = tuple(order)
        if value.order == order:
            return value
        if value.array is not None:
            return replace(value, order=order)
        (name,) = self.emit("Transpose", self.name(value), perm=[value.stored(axis) for axis in order])
        return replace(value, name=name, order=order)

    def full(self, value: Value) -> Value:
        """Return a value that is stored with all its entries."""
        if value.dims == value.shape:
            return value
        if value.array is not None and all(isinstance(size, int) for size in value.shape):
            return constant(np.broadcast_to(value.array, value.shape))
        sizes = [value.shape[axis] for axis in value.order]
        (name,) = self.emit("Expand", self.name(value), self.runtime(sizes))
        return replace(value, name=name, array=None, dims=value.shape)

    def plain(self, value: Value) -> Value:
        """Return a value stored whole and in JAX's order."""
        return self.full(self.ordered(value, range(len(value.shape))))

    def runtime(self, sizes: Sequence[Size]) -> str:
        """Return the name of sizes, the number of images among them."""
        if all(isinstance(size, int) for size in sizes):
            return self.held(sizes, np.int64)
        if not self._batch:
            (shape,) = self.emit("Shape", self._first)
            (self._batch,) = self.emit("Gather", shape, self.held([0], np.int64), axis=0)
        if any(not isinstance(size, int) and str(size) != "n" for size in sizes):
            raise BadInput(f"expected sizes that are fixed or the number of images, found {sizes}")
        parts = [self.held([size], np.int64) if isinstance(size, int) else self._batch for size in sizes]
        return self.emit("Concat", *parts, axis=0)[0] if len(parts) > 1 else parts[0]
