"""What devices tell one another in a compiled program: collectives, read from the text of its HLO.

A program is computations that call one another; the body of a loop counts as often as it runs, of a conditional's
branches the one that moves most. Loops of `lax.scan` compare a counter with a constant, their number of rounds.
"""

import re
from collections import Counter
from math import prod
from typing import NamedTuple

KINDS = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")

_BYTES = {"pred": 1, "bf16": 2, "f16": 2, "c64": 8, "c128": 16}
_COMPUTATION = re.compile(r"^(ENTRY )?%?([\w.\-]+) \(.*\{$")
_OPERATION = re.compile(r"^(?:ROOT )?%?[\w.\-]+ = (.*?) ([a-z][a-z\-]*)\((.*)$")
_SHAPE = re.compile(r"\b(pred|[a-z]+\d+[a-z\d]*)\[([\d,]*)\]")
_CALLED = re.compile(r"\b(?:calls|body|to_apply|true_computation|false_computation)=%?([\w.\-]+)")


class Total(NamedTuple):
    """Collectives of one kind: how many run, and the bytes of the whole arrays that they are about, on each device."""

    count: float
    bytes: float
    sent: float  # bytes that a device sends, around a ring

    def times(self, factor: float) -> "Total":
        """Return so many times as much."""
        return Total(*(factor * x for x in self))


def collectives(text: str, devices: int) -> dict[str, Total]:
    """Return kind -> total of one run of a program.

    Args:
        text: of a compiled executable, `as_text()`.
        devices: of the mesh, the group of a collective that names none.
    """
    lines, entry = computations(text)
    known: dict[str, dict[str, Total]] = {}

    def of(name: str) -> dict[str, Total]:
        if name not in known:
            known[name] = {}  # a computation cannot call itself
            known[name] = add(*(found for line in lines.get(name, ()) for found in of_line(line)))
        return known[name]

    def of_line(line: str) -> list[dict[str, Total]]:
        match = _OPERATION.match(line)
        if not match:
            return []
        result, operation, rest = match.groups()
        kind = operation.removesuffix("-start")
        if kind in KINDS:
            return [{kind: total(kind, result, rest, devices, started=kind != operation)}]
        if operation == "conditional":
            branches = re.search(r"branch_computations=\{([^}]*)\}", rest)
            names = branches[1].replace("%", "").split(", ") if branches else _CALLED.findall(rest)
            return [max((of(name) for name in names), key=lambda found: sum(t.bytes for t in found.values()))]
        times = rounds(rest, lines) if operation == "while" else 1
        return [{k: t.times(times) for k, t in of(name).items()} for name in _CALLED.findall(rest)]

    return of(entry)


def loops(text: str) -> list[int]:
    """Return the numbers of rounds of a program's loops, 1 where the text does not say, in no order."""
    lines, _ = computations(text)
    operations = (_OPERATION.match(line) for body in lines.values() for line in body)
    return [rounds(match[3], lines) for match in operations if match and match[2] == "while"]


def computations(text: str) -> tuple[dict[str, list[str]], str]:
    """Return (name -> lines of each computation, name of the one that the program begins with)."""
    found: dict[str, list[str]] = {}
    entry, name = "", ""
    for line in text.splitlines():
        if match := _COMPUTATION.match(line):
            name = match[2]
            found[name] = []
            entry = name if match[1] else entry
        elif line.startswith("  ") and name:
            found[name].append(line.strip())
    return found, entry


def rounds(rest: str, lines: dict[str, list[str]]) -> int:
    """Return how often a loop runs: the constant that its counter stays below; 1 if it is none."""
    if known := re.search(r'known_trip_count\\?":\{\\?"n\\?":\\?"(\d+)', rest):
        return int(known[1])
    condition = re.search(r"condition=%?([\w.\-]+)", rest)
    body = lines.get(condition[1], []) if condition else []
    below = [line for line in body if line.startswith("ROOT") and "direction=LT" in line]
    constants = [int(m[1]) for line in body if (m := re.search(r" = s32\[\]\S* constant\((\d+)\)", line))]
    return constants[0] if below and len(constants) == 1 else 1


def total(kind: str, result: str, rest: str, devices: int, *, started: bool) -> Total:
    """Return what one collective moves, by its result's type and the text behind its name."""
    group = group_size(rest, devices)
    sizes = [
        prod(int(n) for n in dims.split(",") if n) * (_BYTES.get(kind_of) or int(re.findall(r"\d+", kind_of)[0]) / 8)
        for kind_of, dims in _SHAPE.findall(result)
    ]
    # What starts one of these two yields its operand beside its result, and counters.
    size = max(sizes) if started and kind in ("all-gather", "collective-permute") else sum(sizes)
    size *= group if kind == "reduce-scatter" else 1
    share = (group - 1) / group
    sent = {"all-reduce": 2 * share, "collective-permute": 1.0}.get(kind, share)
    return Total(1, size, sent * size)


def group_size(rest: str, devices: int) -> int:
    """Return how many devices take part in a collective: each group's, in any of the forms that XLA writes."""
    if match := re.search(r"replica_groups=\{\{([\d,]+)\}", rest):
        return len(match[1].split(","))
    if match := re.search(r"replica_groups=\[(\d+),(\d+)\]", rest):
        return int(match[2])
    if match := re.search(r"replica_groups=mesh\[([^\]]*)\] \{([^}]*)\}", rest):
        axes = dict(axis.split("=") for axis in match[1].split(","))
        return prod(int(axes[name.strip()]) for name in match[2].split(","))
    return devices


def add(*parts: dict[str, Total]) -> dict[str, Total]:
    """Return the sum of several programs' totals."""
    sums: dict[str, Counter] = {}
    for part in parts:
        for kind, found in part.items():
            sums.setdefault(kind, Counter()).update(found._asdict())
    return {kind: Total(**sums[kind]) for kind in KINDS if kind in sums}
