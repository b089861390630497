"""How a task's steps become compiled programs.

Most tasks have one program, the step. A task may name several, `parts`, and say which of them a step runs, in order:
`due(number of the step)`. A GAN's first steps are others than the rest; StyleGAN2 has regularisers every few steps.
They are programs of their own because XLA's CPU backend runs what stands in a branch or in a loop on one core: the
slope of StyleGAN2's discriminator at 48 pixels takes 2.2 s in a branch, 0.2 s on its own.
"""

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from fergen.core import target
from fergen.tasks.state import merged

# (state, frozen, arrays, item of the input) -> (state, metrics).
Part = Callable[..., tuple[Any, dict[str, jax.Array]]]


def parts_of(task: Any, source: Any, key: jax.Array) -> dict[str, Part]:
    """Return a task's programs, each with the step's own key, as pure functions.

    Args:
        task: has `step`, or `parts` and `due`.
        source: of the input.
        key: of the run.
    """

    def of(part: Callable) -> Part:
        def one(state, frozen, arrays, item):
            batch = source.read(arrays, item)
            return part(state, batch, jax.random.fold_in(key, state.step), frozen)

        return one

    return {name: of(part) for name, part in getattr(task, "parts", {"step": task.step}).items()}


def due_of(task: Any) -> Callable[[int], tuple[str, ...]]:
    """Return (number of a step -> names of the parts that it runs, in order)."""
    return getattr(task, "due", lambda step: ("step",))


def kinds_of(due: Callable[[int], tuple[str, ...]], steps: range, k: int) -> dict[tuple[str, ...], tuple[int, float]]:
    """Return the different kinds of dispatches: parts of all k steps, sorted -> (first such one's step, its share).

    Args:
        due: see `due_of`.
        steps: numbers with which dispatches begin.
        k: steps of a dispatch.
    """
    kinds = [tuple(sorted(name for i in range(k) for name in due(step + i))) for step in steps]
    return {kind: (steps[kinds.index(kind)], many / len(kinds)) for kind, many in Counter(kinds).items()}


def scans(todo: Sequence[tuple[str, ...]]) -> bool:
    """Whether a dispatch is one compiled scan: on accelerators, where all its steps run one and the same part.

    Args:
        todo: the parts that each step of the dispatch runs.
    """
    return target.platform() != "cpu" and set(todo) == {todo[0]} and len(todo[0]) == 1


def compiled(parts: dict[str, Part], k: int, sharding: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the jitted forms of each part by its name; the state is donated.

    Args:
        parts: see `parts_of`.
        k: steps of a dispatch.
        sharding: of state and metrics.

    Returns:
        (state, frozen, arrays, block of k batches, i) -> (state, metrics), which takes the block's i-th step; and
        (state, frozen, arrays, block) -> (state, mean metrics), a scan over all k.
    """
    jit = functools.partial(jax.jit, donate_argnums=(0,), out_shardings=(sharding, sharding))

    def single(part: Part) -> Callable:
        return jit(lambda state, frozen, arrays, block, i: part(state, frozen, arrays, _row(block, i)))

    def scan(part: Part) -> Callable:
        def many(state, frozen, arrays, block):
            state, metrics = jax.lax.scan(lambda s, item: part(s, frozen, arrays, item), state, block, length=k)
            return state, jax.tree.map(lambda m: m.mean(0), metrics)

        return jit(many)

    singles, whole = ({name: form(part) for name, part in parts.items()} for form in (single, scan))
    return singles, whole


def taker(parts: dict[str, Part], due: Callable[[int], tuple[str, ...]], k: int, sharding: Any) -> Callable:
    """Return (number of the first step, state, frozen, arrays, block of k batches) -> (state, metrics).

    Metrics are means over the steps that report them; the state is donated. On accelerators k steps of one and the same
    part are one compiled scan. On CPUs, and where parts take turns, each is called on its own; the numbers are the
    same.
    """
    cpu = target.platform() == "cpu"
    singles, whole = compiled(parts, k, sharding)

    def take(step: int, state, frozen, arrays, block) -> tuple[Any, dict[str, Any]]:
        todo = [due(step + i) for i in range(k)]
        if scans(todo):
            return whole[todo[0][0]](state, frozen, arrays, block)
        seen = []
        for i, names in enumerate(todo):
            reports = []
            for name in names:
                state, metrics = singles[name](state, frozen, arrays, block, np.int32(i))
                # Collectives of several virtual devices can stall when dispatches pile up.
                reports.append(jax.block_until_ready(metrics) if cpu else metrics)
            seen.append(merged(reports))
        return state, {
            name: np.mean([float(metrics[name]) for metrics in seen if name in metrics], dtype=np.float32)
            for name in dict.fromkeys(name for metrics in seen for name in metrics)
        }

    return take


def _row(block: Any, i: jax.Array) -> Any:
    return jax.tree.map(lambda x: x[i], block)
