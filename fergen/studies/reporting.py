"""What the report of every study begins and ends with."""

import os
import platform
from collections.abc import Mapping, Sequence
from typing import Any

import fergen
from fergen.core import target
from fergen.core.paths import write_json
from fergen.show.report import Report
from fergen.studies import summary
from fergen.studies.runs import Outcome, Study
from fergen.train.loop import flat


def begin(study: Study, title: str, question: str) -> Report:
    """Begin a report: its title and what is asked."""
    report = Report(f"{title}: {study.config['data']}")
    report.text(question)
    return report


def end(
    study: Study,
    report: Report,
    *,
    table: Sequence[Mapping[str, Any]],
    rows: Sequence[Mapping[str, Any]] = (),
    scores: Mapping[str, Any] | None = None,
) -> Outcome:
    """Add what failed and how it was made, and write report.html, report.md, report.json and runs.csv.

    Args:
        study: the study.
        report: its own sections are there.
        table: the main table, printed on the terminal and kept in report.json.
        rows: of runs, see `Study.compare`.
        scores: further figures for report.json.
    """
    failed = summary.failures(study.failed, study.workdir)
    if failed:
        report.section("What failed")
        report.table(failed, caption="It is in no figure above. Repeat the command to try it again.")
    report.section("How it was made")
    report.text(
        f"fergen {fergen.__version__}, {versions()}, on {os.cpu_count()} cores ({processor()})."
        " A figure with ± is the mean and standard deviation over runs that differ in their seed; one with brackets"
        " is of a single run, with its 95 % bootstrap interval."
    )
    fields = flat(study.config if isinstance(study.config, dict) else study.config.to_dict())
    report.code("\n".join(f"{name} = {value}" for name, value in fields.items() if name != "name"))
    if rows:
        summary.write_csv(study.workdir / "runs.csv", rows)
    found = {"table": list(table), "failed": failed, **(scores or {})}
    write_json(study.workdir / "report.json", found)
    html, _ = report.write(study.workdir)
    return Outcome(summary.aligned(table), found, html)


def versions() -> str:
    """Return the versions that figures depend on."""
    import jax

    return f"jax {jax.__version__}, Python {platform.python_version()}, {target.platform()}"


def processor() -> str:
    """Return the processor's name, where the system tells it."""
    try:
        with open("/proc/cpuinfo") as f:
            return next(line.partition(":")[2].strip() for line in f if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()
