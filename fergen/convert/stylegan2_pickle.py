"""Snapshots of StyleGAN2-ADA's reference code, interpreted without executing anything.

Such a file is one pickle of whole networks: of each its class's source as text, its constructor's arguments, and its
tensors. Here the text stays text, and what the pickle would call becomes a description: an object is its state, a
tensor a view of the file's bytes. The older form, of the TensorFlow code, is a tuple of networks with named arrays.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fergen.convert.unpickle import ORDERED_DICT, PARAMETER, STORAGES, TENSOR, Machine, Storage, Symbol, load, tensor
from fergen.core.errors import BadInput

OBJECT = ("torch_utils.persistence", "_reconstruct_persistent_obj")
BYTES = ("torch.storage", "_load_from_bytes")
EASY_DICT = ("dnnlib.util", "EasyDict")
NETWORK = ("dnnlib.tflib.network", "Network")
SCALAR = {(f"numpy.{core}.multiarray", "scalar") for core in ("core", "_core")}
RECONSTRUCT = {(f"numpy.{core}.multiarray", "_reconstruct") for core in ("core", "_core")}
DTYPE, NDARRAY = ("numpy", "dtype"), ("numpy", "ndarray")
SET, ENCODE = ("builtins", "set"), ("_codecs", "encode")
# Types of scalars and arrays, as numpy's pickles name them; objects are not among them.
NUMBERS = {
    f"{kind}{size}" for kind, sizes in {"f": "248", "i": "1248", "u": "1248", "b": "1"}.items() for size in sizes
}
# The first of the five pickles in which torch stores one storage.
MAGIC = 0x1950A86A20F9469CFC6C
DEEPEST = 16


@dataclass
class Object:
    """A module as its pickle describes it: class name, and its attributes."""

    name: str
    state: dict[str, Any]


@dataclass
class Network:
    """A network of the TensorFlow code: its state."""

    state: dict[str, Any]


@dataclass
class Number:
    """A type of numbers, and whether its bytes are in this machine's order."""

    name: str
    little: bool = True


@dataclass
class Array:
    """An array whose numbers a later opcode brings."""

    values: np.ndarray | None = None


@dataclass(frozen=True)
class Filled(Storage):
    """A storage with its bytes."""

    data: bytes | memoryview = b""


class StorageMachine(Machine):
    """The pickles around one storage's bytes."""

    what = "storage of torch"
    allowed = frozenset(("torch", name) for name in STORAGES)

    def integer(self, value: int) -> None:
        """Push an integer of at most 64 bits, or torch's mark."""
        if value == MAGIC:
            self.stack.append(value)
        else:
            super().integer(value)


class SnapshotMachine(Machine):
    """The pickle of a snapshot."""

    what = "StyleGAN2 snapshot"
    allowed = frozenset(
        {ORDERED_DICT, TENSOR, PARAMETER, OBJECT, BYTES, EASY_DICT, NETWORK, DTYPE, NDARRAY, SET, ENCODE}
        | SCALAR
        | RECONSTRUCT
    )

    def step(self, opcode: str, argument: Any, position: int | None) -> None:
        """Interpret one opcode."""
        match opcode:
            case "BINBYTES" | "SHORT_BINBYTES" | "BINBYTES8" | "BINUNICODE8" | "BINSTRING":
                self.stack.append(argument)
            case "EMPTY_SET":
                self.stack.append([])
            case "ADDITEMS":
                values = self.pop_mark()
                self.top(list).extend(values)
            case "NEWOBJ":
                self.new()
            case "BUILD":
                self.build()
            case _:
                super().step(opcode, argument, position)

    def new(self) -> None:
        """Describe an object that is made without calling its constructor."""
        arguments, symbol = self.pop(), self.pop()
        if not isinstance(symbol, Symbol) or arguments != ():
            raise ValueError("an object of something that is no class, or with arguments")
        if symbol == EASY_DICT:
            self.stack.append({})
        elif symbol == NETWORK:
            self.stack.append(Network({}))
        else:
            raise ValueError(f"an object of {symbol.name}")

    def build(self) -> None:
        """Give the object on the stack its state."""
        state, target = self.pop(), self.stack[-1]
        match target:
            case Number():
                if not (isinstance(state, tuple) and len(state) >= 2 and state[1] in ("<", "|", ">")):
                    raise ValueError("a type of numbers with an odd state")
                target.little = state[1] != ">"
            case Array():
                target.values = array_of(state)
            case Network():
                if not isinstance(state, dict):
                    raise ValueError("a network whose state is no dict")
                target.state = state
            case dict():
                pass  # attributes of an ordered dict
            case _:
                raise ValueError(f"a state for a {type(target).__name__}")

    def reduce(self) -> None:
        """Describe what one of the allowed names would build."""
        arguments, symbol = self.pop(), self.pop()
        if not (isinstance(symbol, Symbol) and isinstance(arguments, tuple)):
            raise ValueError("a call of something that is no name")
        if symbol == OBJECT and len(arguments) == 1:
            self.stack.append(object_of(arguments[0]))
        elif symbol == BYTES and len(arguments) == 1 and isinstance(arguments[0], bytes):
            self.stack.append(storage_of(arguments[0], self.where))
        elif symbol == TENSOR and len(arguments) in (6, 7):
            self.stack.append(view(*arguments[:4]))
        elif symbol == PARAMETER and len(arguments) == 3 and isinstance(arguments[0], np.ndarray):
            self.stack.append(arguments[0])
        elif symbol in (ORDERED_DICT, EASY_DICT) and not arguments:
            self.stack.append({})
        elif symbol == SET and len(arguments) <= 1:
            self.stack.append(list(arguments[0]) if arguments else [])
        elif symbol == DTYPE and 1 <= len(arguments) <= 3 and arguments[0] in NUMBERS:
            self.stack.append(Number(arguments[0]))
        elif symbol in SCALAR and len(arguments) == 2 and isinstance(arguments[0], Number):
            self.stack.append(numbers(arguments[0], arguments[1], 1).item())
        elif symbol in RECONSTRUCT and len(arguments) == 3 and arguments[0] == NDARRAY:
            self.stack.append(Array())
        elif symbol == ENCODE and len(arguments) == 2 and isinstance(arguments[0], str) and arguments[1] == "latin1":
            self.stack.append(arguments[0].encode("latin1"))
        else:
            raise ValueError(f"{symbol.name} with {len(arguments)} arguments")


def read(path: str | Path) -> Any:
    """Interpret a snapshot's file: a dict with `Object`s, or a tuple of `Network`s; tensors are numpy arrays.

    Raises:
        BadInput: the file is missing or damaged, or asks for anything that has no place in a snapshot.
    """
    path = Path(path)
    if not path.is_file():
        raise BadInput(f"{path}: no such file")
    with path.open("rb") as stream:
        return load(stream, path.stat().st_size, str(path), SnapshotMachine)


def object_of(meta: Any) -> Object:
    """Check a module's description, and drop its source."""
    if not isinstance(meta, dict) or meta.get("type") != "class" or not isinstance(meta.get("state"), dict):
        raise ValueError("a module without class or state")
    if not isinstance(meta.get("class_name"), str):
        raise ValueError("a module without the name of its class")
    return Object(meta["class_name"], meta["state"])


def storage_of(data: bytes, where: str) -> Filled:
    """Read one storage as torch wrote it: a mark, a version, the machine, the storage, its key, a number, the bytes."""
    stream, size = io.BytesIO(data), len(data)
    mark, version, machine, storage, keys = (load(stream, size, where, StorageMachine) for _ in range(5))
    if mark != MAGIC or version != 1001 or not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise ValueError("a storage of another version or byte order")
    if not isinstance(storage, Storage) or keys != [storage.key]:
        raise ValueError("bytes that are not those of one storage")
    body = memoryview(data)[stream.tell() :]
    kind = number_type(storage)
    if len(body) != 8 + storage.count * kind.itemsize or int.from_bytes(body[:8], "little") != storage.count:
        raise ValueError(f"a storage of {storage.count} numbers with {len(body) - 8} bytes")
    return Filled(storage.key, storage.dtype, storage.count, body[8:])


def number_type(storage: Storage) -> np.dtype:
    """Return the numpy type of a storage's numbers."""
    if storage.dtype == "bfloat16":
        raise ValueError("a storage of bfloat16, which the reference code never writes")
    return np.dtype(storage.dtype)


def view(storage: Any, offset: Any, shape: Any, strides: Any) -> np.ndarray:
    """Return a tensor as an array of its own, whatever its memory format."""
    if not isinstance(storage, Filled):
        raise ValueError("a tensor without storage")
    found, kind = tensor(storage, offset, shape, strides), number_type(storage)
    if 0 in found.shape:
        return np.zeros(found.shape, kind)
    lying = np.ndarray(
        found.shape,
        kind,
        buffer=storage.data,
        offset=found.offset * kind.itemsize,
        strides=tuple(stride * kind.itemsize for stride in found.strides),
    )
    return np.array(lying, order="C")


def numbers(kind: Number, data: Any, count: int) -> np.ndarray:
    """Return numbers of a type from their bytes."""
    dtype = np.dtype(("<" if kind.little else ">") + kind.name)
    if not isinstance(data, bytes) or len(data) != count * dtype.itemsize:
        raise ValueError(f"{count} numbers of type {kind.name} in other than {count * dtype.itemsize} bytes")
    return np.frombuffer(data, dtype).astype(dtype.newbyteorder("="))


def array_of(state: Any) -> np.ndarray:
    """Return a numpy array from the state that its pickle holds."""
    if not (isinstance(state, tuple) and len(state) == 5):
        raise ValueError("an array with an odd state")
    _, shape, kind, fortran, data = state
    if not isinstance(kind, Number) or not isinstance(shape, tuple) or len(shape) > 8:
        raise ValueError("an array without type or shape")
    if any(type(n) is not int or n < 0 for n in shape):
        raise ValueError("an array of negative size")
    count = 1
    for n in shape:
        count *= n
    return np.array(numbers(kind, data, count).reshape(shape, order="F" if fortran else "C"), order="C")


def tensors(module: Object, depth: int = 0) -> dict[str, np.ndarray]:
    """Return a module's state dict: parameters and buffers by dotted name."""
    if depth > DEEPEST:
        raise ValueError("modules within modules without end")
    state, found = module.state, {}
    passing = state.get("_non_persistent_buffers_set", [])
    for group in ("_parameters", "_buffers"):
        for name, value in mapping(state, group).items():
            if value is not None and name not in passing:
                if not isinstance(value, np.ndarray):
                    raise ValueError(f"{group} of {module.name} holds a {type(value).__name__} as {name}")
                found[str(name)] = value
    for name, child in mapping(state, "_modules").items():
        if child is not None:
            if not isinstance(child, Object):
                raise ValueError(f"{module.name} holds a {type(child).__name__} as module {name}")
            found |= {f"{name}.{inner}": value for inner, value in tensors(child, depth + 1).items()}
    return found


def mapping(state: dict[str, Any], group: str) -> dict:
    """Return a group of a module's attributes."""
    found = state.get(group, {})
    if not isinstance(found, dict):
        raise ValueError(f"{group} is a {type(found).__name__}")
    return found
