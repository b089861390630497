"""The programs of an experiment's training, compiled for a described TPU slice, and what each takes of a device.

`fergen.core.target` makes mesh, forms of convolutions and shapes those of the slice; `fergen.train.setup.prepare` then
builds what training builds, and the programs of `fergen.train.parts` are lowered on shapes and compiled by libtpu.
Nothing runs. XLA counts the body of a loop once.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from fergen.core import mesh as meshes
from fergen.core import target
from fergen.core.clock import waiting
from fergen.core.tree import count
from fergen.train import collectives as communication
from fergen.train.chips import Slice
from fergen.train.flops import flops
from fergen.train.parts import compiled, scans
from fergen.train.setup import Run, prepare, run_key


class Form(NamedTuple):
    """A program that training calls: one part, as a single step or as a scan over the steps of a dispatch."""

    part: str
    scanned: bool


class TooLarge(NamedTuple):
    """What the compiler said of a program that does not fit."""

    reason: str


def measure(
    config, place: Slice, *, only: Callable[[Form], bool] = lambda form: True, quiet: bool = False
) -> tuple[dict[str, Any], TooLarge | None]:
    """Compile the programs of a config for a slice.

    Args:
        config: a ConfigDict, whose batch divides by the devices.
        place: the slice.
        only: whether a program is of interest.
        quiet: print no progress.

    Returns:
        images, parameters, hbm, fits, programs and step, as of `plan`; and None, or what does not fit and why.
    """
    with target.described(place.devices):
        this = prepare(config)
        arguments = arguments_of(this)
        resident = resident_bytes(arguments)
        sizes = {"images": this.source.n, "parameters": sum(count(net.params) for net in arguments[0].nets.values())}
        forms = {form: share for form, share in forms_of(this).items() if only(form)}
        programs = {}
        for form, share in forms.items():
            label = f"plan: {config.name} on {place.topology}, batch {config.batch_size}: {named(form, config.scan)}"
            with waiting(label, quiet=quiet):
                found = program_of(this, form, arguments)
            if isinstance(found, TooLarge):
                return {**sizes, "hbm": {"resident": resident, "usable": place.chip.usable}}, found
            programs[named(form, config.scan)] = {"per_step": share, **found}
    return {**sizes, **memory_of(resident, programs, place), "programs": programs, "step": mean_step(programs)}, None


def arguments_of(this: Run) -> tuple:
    """Return the shapes of state, fixed networks, data set and one block, with their shardings."""
    state = jax.eval_shape(this.init, run_key(this.config))
    whole = meshes.replicated(this.mesh)
    state = jax.tree.map(lambda x: meshes.shape_of(x, whole), state)
    return state, this.frozen, this.source.arrays, this.source.block(0, this.config.scan)


def resident_bytes(arguments: tuple) -> int:
    """Return what the arguments take of a device's memory, in the layouts that programs want them in."""
    memory: Any = jax.jit(lambda *held: held).lower(*arguments).compile().memory_analysis()
    return memory.argument_size_in_bytes


def forms_of(this: Run) -> dict[Form, float]:
    """Return the programs that a whole run calls -> steps of theirs per step of training."""
    runs: Counter[Form] = Counter()
    for step in range(0, this.steps, this.config.scan):
        todo = [this.due(step + i) for i in range(this.config.scan)]
        scanned = scans(todo)
        runs.update(Form(part, scanned) for parts in todo for part in parts)
    return {form: times / this.steps for form, times in runs.items()}


def named(form: Form, scan: int) -> str:
    """Return how a program is called in tables."""
    return f"{form.part} (scan of {scan})" if form.scanned else form.part


def program_of(this: Run, form: Form, arguments: tuple) -> dict[str, Any] | TooLarge:
    """Compile one program.

    Returns:
        Per device: flops and bytes of one step as XLA counts them; products, the flops of convolutions and matrix
        products with loops in full; collectives and sent, of one step; temporaries and code, bytes; loops inside a
        step.
    """
    singles, whole = compiled(this.parts, this.config.scan, meshes.replicated(this.mesh))
    if form.scanned:
        lowered = whole[form.part].lower(*arguments)
    else:
        lowered = singles[form.part].lower(*arguments, jax.ShapeDtypeStruct((), np.int32))
    try:
        done = lowered.compile()
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        return TooLarge(refusal(str(error)))
    memory: Any = done.memory_analysis()
    cost, text = done.cost_analysis(), done.as_text()
    steps = this.config.scan if form.scanned else 1
    moved = {k: t.times(1 / steps) for k, t in communication.collectives(text, this.mesh.size).items()}
    inner = communication.loops(text)
    if form.scanned and steps in inner:
        inner.remove(steps)
    *held, block = arguments
    item = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), block)
    return {
        "flops": cost["flops"],
        "products": flops(this.parts[form.part], *held, item) / this.mesh.size,
        "bytes": cost["bytes accessed"],
        "collectives": {kind: t._asdict() for kind, t in moved.items()},
        "sent": sum(t.sent for t in moved.values()),
        "temporaries": memory.temp_size_in_bytes + memory.output_size_in_bytes - memory.alias_size_in_bytes,
        "code": memory.generated_code_size_in_bytes,
        "loops": sorted(n for n in inner if n > 1),
    }


def refusal(text: str) -> str:
    """Return the sentence of a compiler's refusal that says how much is too much."""
    found = re.search(r"(Ran out of memory|XLA:TPU compile permanent error|Used )[^.\n]*(\.\d+[^.\n]*)*", text)
    return " ".join((found[0] if found else text.splitlines()[0]).split())


def memory_of(resident: int, programs: Mapping[str, dict], place: Slice) -> dict[str, Any]:
    """Return hbm and fits: what stays, the most that any program needs beside it, and the code of all."""
    parts = {
        "resident": resident,
        "temporaries": max((p["temporaries"] for p in programs.values()), default=0),
        "code": sum(p["code"] for p in programs.values()),
    }
    total = sum(parts.values())
    return {"hbm": {**parts, "total": total, "usable": place.chip.usable}, "fits": total <= place.chip.usable}


def mean_step(programs: Mapping[str, dict]) -> dict[str, Any]:
    """Return flops (the greater of the two counts), bytes, sent and collectives of a mean step: sums by share."""
    shares = [(p["per_step"], p) for p in programs.values()]
    kinds = dict.fromkeys(kind for _, p in shares for kind in p["collectives"])
    return {
        "flops": sum(share * max(p["flops"], p["products"]) for share, p in shares),
        "bytes": sum(share * p["bytes"] for share, p in shares),
        "sent": sum(share * p["sent"] for share, p in shares),
        "collectives": {
            kind: {
                field: sum(share * p["collectives"].get(kind, {}).get(field, 0) for share, p in shares)
                for field in ("count", "bytes")
            }
            for kind in kinds
        },
    }
