"""Measuring a run's checkpoints, or any weights by reference: scores and pictures into files, along the run if asked.

What needs jax or matplotlib is imported where it is used: a command that only teaches itself needs neither.
"""

import fcntl
import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fergen.core.errors import BadInput
from fergen.core.paths import read_json, write_json

POLL_SECONDS = 10.0
CURVES = ("accuracy", "macro_f1", "macro_recall")


def evaluate(
    references: Sequence[str],
    splits: Sequence[str] | None = None,
    *,
    data: str | None = None,
    out: str | Path | None = None,
    **options: Any,
):
    """Measure weights by reference; several are averaged as an ensemble.

    Args:
      references: weights, see `fergen.train.restore.restore`.
      splits: names; None for those of validation, public and test that the set has.
      data: a prepared set; None for the one that the first weights were trained on.
      out: folder for JSON and pictures; None writes nothing.
      **options: of `fergen.evals.run.run`.

    Returns:
      A `fergen.evals.run.Report`: `.results["public"].scores["accuracy"]`.

    Raises:
      BadInput: a reference, set or split is wrong.
    """
    import jax

    from fergen.evals import run as evals
    from fergen.train.restore import restore

    members = [restore(reference) for reference in references]
    report = evals.run(members, data or trained_on(members[0]), splits, **options)
    if out and jax.process_index() == 0:
        write(Path(out), report, members)
    return report


def generates(reference: str) -> bool:
    """Return whether a reference is to a generator's weights.

    Raises:
      BadInput: as `fergen.train.restore.restore`.
    """
    from fergen.train.restore import restore

    return "sample" in restore(reference).predict


def trained_on(restored: Any) -> str:
    """Return the name of the set that weights were trained on.

    Raises:
      BadInput: the weights do not say.
    """
    named = restored.spec.get("data", {}).get("name") or restored.card.get("config", {}).get("data", {}).get("name")
    if not named:
        raise BadInput(f"weights '{restored.name}' do not say what they were trained on: give --data=NAME")
    return named


def write(folder: Path, report: Any, members: Sequence[Any]) -> None:
    """Write a report: per split the flat scores as JSON, and the pictures beside it.

    A figure that is undefined (a class without rows) is null. Beside the figures stand what they were measured on and
    with: `split`, `data`, `data_hash`, `weights`, `weights_hash`, `step`.
    """
    from fergen.show import confusion, mistakes, reliability

    used = [member for member in members if member.name in report.members]
    for name, result in report.results.items():
        split, arrays = result.split, result.arrays
        about = {
            "split": name,
            "data": split.spec.name,
            "data_hash": split.spec.hash,
            "weights": ", ".join(member.name for member in used),
            "weights_hash": ", ".join(member.hash for member in used),
            "step": used[0].step if len(used) == 1 else None,
        }
        scores = {key: None if math.isnan(value) else value for key, value in result.scores.items()}
        write_json(folder / f"{name}.json", about | scores)
        confusion.draw(arrays["confusion"], split.spec.classes, folder / f"{name}.confusion.png")
        panels = {"as trained": arrays["reliability_uncalibrated"]}
        if result.scores["temperature"] != 1:
            panels[f"temperature {result.scores['temperature']:.2f}"] = arrays["reliability"]
        reliability.draw(panels, folder / f"{name}.reliability.png", title=f"{split.spec.name}, {name}")
        mistakes.draw(
            split.images,
            arrays["probabilities"],
            split.labels,
            split.spec.classes,
            folder / f"{name}.mistakes.png",
            title=f"{split.spec.name}, {name}: most confident mistakes",
        )


def draw_curves(workdir: Path, base: Path) -> None:
    """Draw the run's curves with what was measured at its checkpoints: `<base>/curves.png`."""
    import jax

    from fergen.core import record
    from fergen.show import curves

    if jax.process_index():
        return
    rows = record.rows(workdir / "metrics.jsonl")
    # Validation is in the run's own record already.
    for path in sorted(base.glob("*/*.json")):
        if path.parent.name.isdigit() and path.stem != "validation":
            scores = read_json(path)
            rows.append({"step": int(path.parent.name)} | {f"{path.stem}/{m}": scores.get(m) for m in CURVES})
    rows.sort(key=lambda row: row["step"])
    if curves.series(rows):
        curves.draw(rows, base / "curves.png")


def chosen_steps(workdir: Path, asked: str) -> list[int]:
    """Return the steps that --step names.

    Raises:
      BadInput: there is no such checkpoint.
    """
    from fergen.train import checkpoints, restore

    there = checkpoints.steps(workdir)
    if not there:
        raise BadInput(f"{workdir}: expected a run's folder with checkpoints, found none; train first: fergen train")
    return there if asked == "all" else [restore.choose(workdir, "" if asked == "last" else asked)]


def follow(workdir: Path, measure: Callable[[int], None], *, poll: float = POLL_SECONDS) -> list[int]:
    """Measure each checkpoint as it comes, until the run has ended.

    A run has ended when no process holds its lock and every checkpoint was measured. One that has a folder and no
    checkpoint yet is waited for. Checkpoints that the run has already deleted again are passed over.

    Args:
      workdir: the run's folder.
      measure: called with each new step.
      poll: seconds between looks.

    Returns:
      The steps measured.

    Raises:
      BadInput: there is no such folder.
    """
    from fergen.train.checkpoints import steps

    if not workdir.is_dir():
        raise BadInput(f"{workdir}: expected a run's folder to follow, found none; start it first: fergen train")
    if not steps(workdir):
        print(f"{workdir}: no checkpoint yet, waiting for the first", file=sys.stderr)
    done: list[int] = []
    seen: set[int] = set()
    while True:
        # The lock is looked at first: what a run saves between the two looks is then seen in the next round.
        ended = not training(workdir)
        there = steps(workdir)
        for step in there:
            if step in seen:
                continue
            seen.add(step)
            try:
                measure(step)
            except BadInput:
                if step in steps(workdir):
                    raise
                print(f"note: checkpoint {step} was removed before it could be read", file=sys.stderr)
            else:
                done.append(step)
        if ended and there:
            return done
        time.sleep(poll)


def training(workdir: Path) -> bool:
    """Whether a training process holds the lock of a workdir."""
    try:
        with (workdir / ".lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
