"""Write PyTorch files without torch, honest and hostile ones alike."""

import io
import pickle
import zipfile
from typing import Any, NamedTuple

import numpy as np

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
KINDS = {"float32": "FloatStorage", "float16": "HalfStorage", "int64": "LongStorage", "uint16": "BFloat16Storage"}


class Name(NamedTuple):
    """A name to be looked up by the reader."""

    module: str
    name: str


class Call(NamedTuple):
    """A call to be made by the reader."""

    function: Any
    arguments: tuple


class Stored(NamedTuple):
    """A storage; `count` and `kind` may lie."""

    key: str
    numbers: np.ndarray
    count: int
    kind: Any


class Pickler(pickle._Pickler):
    """The plain Python pickler, taught to write names that do not exist here."""

    dispatch = dict(pickle._Pickler.dispatch)

    def persistent_id(self, value):
        return ("storage", value.kind, value.key, "cpu", value.count) if isinstance(value, Stored) else None

    def save_name(self, value):
        self.write(b"c" + f"{value.module}\n{value.name}\n".encode())

    def save_call(self, value):
        self.save(value.function)
        self.save(value.arguments)
        self.write(pickle.REDUCE)

    dispatch[Name] = save_name
    dispatch[Call] = save_call


def pickled(value, protocol=2) -> bytes:
    stream = io.BytesIO()
    Pickler(stream, protocol).dump(value)
    return stream.getvalue()


def stored(array, key="0", count=None, kind=None) -> Stored:
    kind = kind or Name("torch", KINDS[array.dtype.name])
    return Stored(key, array.reshape(-1), array.size if count is None else count, kind)


def tensor(array, key="0", *, offset=0, shape=None, strides=None, storage=None) -> Call:
    """Describe a tensor as torch does; what is not given follows from the array."""
    shape = array.shape if shape is None else shape
    if strides is None:
        strides = tuple(s // array.itemsize for s in array.strides)
    storage = storage or stored(array, key)
    hooks = Call(Name("collections", "OrderedDict"), ())
    return Call(Name("torch._utils", "_rebuild_tensor_v2"), (storage, offset, shape, strides, False, hooks))


def zipped(value, storages, compression=zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        archive.writestr("model/data.pkl", pickled(value))
        archive.writestr("model/byteorder", b"little")
        for storage in storages:
            archive.writestr(f"model/data/{storage.key}", storage.numbers.tobytes())
        archive.writestr("model/version", b"3\n")
    return stream.getvalue()


def legacy(value, storages) -> bytes:
    system = {"protocol_version": VERSION, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    parts = [pickled(part) for part in (MAGIC, VERSION, system, value, [s.key for s in storages])]
    parts += [s.count.to_bytes(8, "little") + s.numbers.tobytes() for s in storages]
    return b"".join(parts)
