"""The variations that a config names, trained, measured and gathered into one table."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fergen.core import config as configs
from fergen.core.errors import BadInput
from fergen.studies import jobs, reporting, summary, variations
from fergen.studies.runs import Measured, Outcome, Study
from fergen.train.checkpoints import locked

CLASSIFIER = ("accuracy", "macro_f1", "macro_recall", "ece")
GENERATOR = ("control/macro", "control/ratio", "kid/lite0", "coverage/lite0")


def run(
    reference: str,
    workdir: str | Path,
    *,
    overrides: Sequence[str] = (),
    seeds: int = 1,
    executor: str | jobs.Executor = "local",
    split: str | None = None,
    judge: str | None = None,
    measures: Sequence[str] | None = None,
    quiet: bool = False,
) -> Outcome:
    """Run a sweep, going on where it was.

    Args:
        reference: a config with a function `sweep()`.
        workdir: the sweep's folder.
        overrides: of every variation, "epochs=1.0".
        seeds: runs of each.
        executor: see `fergen.studies.jobs.executor`, or a function of jobs.
        split: that classifiers are measured on; None is validation, the one to choose by.
        judge: of generators.
        measures: names of scores in the table; None takes the usual ones.
        quiet: print no progress.

    Raises:
        BadInput: no sweep(), a wrong field, or no run ended well.
    """
    if seeds < 1:
        raise BadInput(f"--seeds={seeds}: expected at least 1")
    execute = jobs.executor(executor) if isinstance(executor, str) else executor
    arms = variations.named(reference)
    config = configs.load(reference, overrides)
    classifier, split = config.task == "classifier", split or "validation"
    flags = (f"--split={split}",) if classifier else ((f"--judge={judge}",) if judge else ())
    measured = [Measured(f"{split}.json" if classifier else "scores.json", flags)]
    workdir = Path(workdir).absolute()
    with locked(workdir):
        about: dict[str, Any] = {
            "experiment": reference,
            "data": config.data.name,
            "seeds": seeds,
            "overrides": tuple(overrides),
        }
        study = Study(about, workdir, execute, quiet)
        rows = study.compare(
            variations.members(study, reference, arms, measured=measured, seeds=seeds, overrides=overrides)
        )
        summary.require_some(rows, "sweep")
        names = measures or (CLASSIFIER if classifier else GENERATOR)
        table = summary.table(rows, {name: name for name in names}, head="variation", scale=1.0)
        page = reporting.begin(study, f"Sweep of {reference}", f"{len(arms)} variations, {seeds} seeds each.")
        page.section("Variations")
        page.table(table)
        return reporting.end(study, page, table=table, rows=rows)
