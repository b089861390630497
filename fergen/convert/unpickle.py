"""Pickles of PyTorch state dicts, interpreted without executing anything.

Python's own unpickler calls what a pickle names. Here each of the few opcodes that a state dict needs is interpreted
by hand, names become inert `Symbol`s, "calling" one of three known names builds a description, and all else is refused.
"""

import pickletools
from dataclasses import dataclass
from typing import IO, Any, NamedTuple, cast

from fergen.core.errors import BadInput

# Storage classes of torch, as numpy type names; bfloat16 has none and is widened by the reader of tensors.
STORAGES = {
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
}
ORDERED_DICT = ("collections", "OrderedDict")
TENSOR = ("torch._utils", "_rebuild_tensor_v2")
PARAMETER = ("torch._utils", "_rebuild_parameter")
ALLOWED = {ORDERED_DICT, TENSOR, PARAMETER} | {("torch", name) for name in STORAGES}


class Symbol(NamedTuple):
    """A name that a pickle asks for; never looked up."""

    module: str
    name: str


@dataclass(frozen=True)
class Storage:
    """Where a tensor's numbers lie: `count` numbers of one type under a key of the file."""

    key: str
    dtype: str
    count: int


@dataclass(frozen=True)
class Tensor:
    """A view of a storage; offset and strides count elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class Bounded:
    """A stream that refuses to read beyond its end, so that a lying length allocates nothing."""

    def __init__(self, stream: IO[bytes], size: int):
        self.stream, self.size = stream, size

    def read(self, n: int = -1) -> bytes:
        """Read n bytes; ValueError if so many are not left."""
        left = self.size - self.stream.tell()
        if n > left:
            raise ValueError(f"{n} bytes announced where {left} are left")
        return self.stream.read(left if n < 0 else n)

    def readline(self) -> bytes:
        """Read a line of at most 4096 bytes."""
        return self.stream.readline(4096)

    def tell(self) -> int:
        """Return the position."""
        return self.stream.tell()


def load(stream: IO[bytes], size: int, where: str, kind: "type[Machine] | None" = None) -> Any:
    """Interpret one pickle.

    Args:
        stream: at the start of a pickle; left behind its end.
        size: of the whole stream, in bytes.
        where: file name for messages.
        kind: of machine, which says what may stand there; None for `Machine`.

    Returns:
        Plain dicts, lists, tuples, texts and numbers, with tensors as `Tensor`.

    Raises:
        BadInput: the pickle is damaged, or holds anything that has no place there.
    """
    machine = (kind or Machine)(where)
    try:
        bounded = cast(IO[bytes], Bounded(stream, size))
        for opcode, argument, position in pickletools.genops(bounded):
            if opcode.name == "STOP":
                return machine.pop()
            machine.step(opcode.name, argument, position)
    except BadInput:
        raise
    except (ValueError, TypeError, KeyError, IndexError, OverflowError, MemoryError, EOFError) as error:
        raise BadInput(f"{where}: expected a pickled {machine.what}, found a damaged one ({error})") from None
    raise BadInput(f"{where}: expected a pickled {machine.what}, found one that ends early")


class Machine:
    """A pickle's stack and memo."""

    what = "state dict"
    allowed = frozenset(ALLOWED)

    def __init__(self, where: str):
        self.where = where
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def step(self, opcode: str, argument: Any, position: int | None) -> None:
        """Interpret one opcode."""
        match opcode:
            case "PROTO" | "FRAME":
                pass
            case "MARK":
                self.marks.append(len(self.stack))
            case "POP":
                self.pop()
            case "NONE":
                self.stack.append(None)
            case "NEWTRUE" | "NEWFALSE":
                self.stack.append(opcode == "NEWTRUE")
            case "BININT" | "BININT1" | "BININT2" | "LONG1":
                self.integer(argument)
            case "BINFLOAT" | "BINUNICODE" | "SHORT_BINUNICODE" | "SHORT_BINSTRING":
                self.stack.append(argument)
            case "EMPTY_DICT":
                self.stack.append({})
            case "EMPTY_LIST":
                self.stack.append([])
            case "EMPTY_TUPLE":
                self.stack.append(())
            case "TUPLE":
                self.stack.append(tuple(self.pop_mark()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                self.take(int(opcode[-1]))
            case "BINPUT" | "LONG_BINPUT":
                self.memo[argument] = self.stack[-1]
            case "MEMOIZE":
                self.memo[len(self.memo)] = self.stack[-1]
            case "BINGET" | "LONG_BINGET":
                self.stack.append(self.memo[argument])
            case "SETITEM":
                value, key = self.pop(), self.pop()
                self.set_items([key, value])
            case "SETITEMS":
                self.set_items(self.pop_mark())
            case "APPEND":
                value = self.pop()
                self.top(list).append(value)
            case "APPENDS":
                values = self.pop_mark()
                self.top(list).extend(values)
            case "GLOBAL":
                module, _, name = argument.partition(" ")
                self.symbol(module, name)
            case "STACK_GLOBAL":
                name, module = self.pop(), self.pop()
                self.symbol(module, name)
            case "REDUCE":
                self.reduce()
            case "BUILD":
                # The attributes of an ordered dict: torch keeps the versions of modules there.
                self.pop()
                self.top(dict)
            case "BINPERSID":
                self.storage()
            case _:
                raise BadInput(
                    f"{self.where}: byte {position}: pickle opcode {opcode} has no place in a {self.what}; "
                    "expected tensors and plain containers alone"
                )

    def pop(self) -> Any:
        """Take the top, but nothing from below the last mark."""
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise ValueError("the stack is empty")
        return self.stack.pop()

    def pop_mark(self) -> list[Any]:
        """Take everything above the last mark."""
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def top(self, kind: type) -> Any:
        """Look at the top, which must be of one type."""
        if not isinstance(self.stack[-1], kind):
            raise ValueError(f"expected a {kind.__name__} on the stack, found a {type(self.stack[-1]).__name__}")
        return self.stack[-1]

    def take(self, count: int) -> None:
        """Replace the top `count` values by their tuple."""
        values = [self.pop() for _ in range(count)]
        self.stack.append(tuple(reversed(values)))

    def integer(self, value: int) -> None:
        """Push an integer of at most 64 bits."""
        if not -(2**63) <= value < 2**63:
            raise ValueError("an integer beyond 64 bits")
        self.stack.append(value)

    def symbol(self, module: Any, name: Any) -> None:
        """Push a name of the allow-list."""
        if not (isinstance(module, str) and isinstance(name, str)):
            raise ValueError("a name that is no text")
        if (module, name) not in self.allowed:
            raise BadInput(
                f"{self.where}: the pickle asks for {f'{module}.{name}'[:120]!r}, which is refused; only tensors are "
                f"read and nothing is executed: expected a {self.what} alone"
            )
        self.stack.append(Symbol(module, name))

    def set_items(self, items: list[Any]) -> None:
        """Put keys and values, in turn, into the dict on the stack."""
        target = self.top(dict)
        if len(items) % 2:
            raise ValueError("a key without a value")
        for key, value in zip(items[::2], items[1::2]):
            # Hashing a deeply nested tuple would overflow the interpreter's own stack.
            if not isinstance(key, (str, int)):
                raise ValueError(f"a dict key of type {type(key).__name__}")
            target[key] = value

    def reduce(self) -> None:
        """Describe what one of the allowed names would build."""
        arguments, symbol = self.pop(), self.pop()
        if not (isinstance(symbol, Symbol) and isinstance(arguments, tuple)):
            raise ValueError("a call of something that is no name")
        if symbol == ORDERED_DICT and len(arguments) == 0:
            self.stack.append({})
        elif symbol == TENSOR and len(arguments) in (6, 7):
            self.stack.append(tensor(*arguments[:4]))
        elif symbol == PARAMETER and len(arguments) == 3 and isinstance(arguments[0], Tensor):
            self.stack.append(arguments[0])
        else:
            raise ValueError(f"{symbol.name} with {len(arguments)} arguments")

    def storage(self) -> None:
        """Push the storage that a persistent id names."""
        identity = self.pop()
        if not (isinstance(identity, tuple) and len(identity) in (5, 6) and identity[0] == "storage"):
            raise ValueError("a persistent id that is no storage")
        _, kind, key, _, count = identity[:5]
        if len(identity) == 6 and identity[5] is not None:
            raise ValueError("a view of a storage, which torch stopped writing in 2017")
        if not (isinstance(kind, Symbol) and kind.name in STORAGES):
            raise ValueError("a storage of unknown type")
        if not isinstance(key, str) or type(count) is not int or count < 0:
            raise ValueError("a storage without key or size")
        self.stack.append(Storage(key, STORAGES[kind.name], count))


def tensor(storage: Any, offset: Any, shape: Any, strides: Any) -> Tensor:
    """Check that a view stays inside its storage and shows nothing twice as often as it holds it."""
    numbers = (offset, *shape, *strides)
    if not isinstance(storage, Storage) or any(type(n) is not int or n < 0 for n in numbers):
        raise ValueError("a tensor without storage, or with negative sizes")
    if len(shape) != len(strides) or len(shape) > 8:
        raise ValueError(f"a tensor of shape {shape[:8]} with {len(strides)} strides")
    elements, last = 1, offset
    for n, stride in zip(shape, strides):
        elements *= n
        last += max(n - 1, 0) * stride
    if elements > storage.count or (elements and last >= storage.count):
        raise ValueError(f"a tensor of shape {shape} reaches beyond its storage of {storage.count} numbers")
    return Tensor(storage, offset, tuple(shape), tuple(strides))
