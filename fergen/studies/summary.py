"""Rows of runs as tables: the mean over seeds with its spread, what failed, and files that other programs read."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fergen.core.errors import BadInput
from fergen.core.paths import atomic_write
from fergen.core.record import rows as record
from fergen.show import lines
from fergen.show.report import cell
from fergen.studies.jobs import Job

Rows = Sequence[Mapping[str, Any]]
# Not figures of a run: intervals, counts, and what stands beside them.
ASIDE = ("confusion/", "n/")


def by_arm(rows: Rows) -> dict[str, list[Mapping[str, Any]]]:
    """Return the rows of each arm, in order of appearance."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["arm"], []).append(row)
    return found


def spread(rows: Rows, measure: str) -> tuple[float, float, int]:
    """Return (mean, sample standard deviation, number) of a figure over runs; NaN where there are too few."""
    values = [row[measure] for row in rows if row["status"] == 0 and not math.isnan(row.get(measure, math.nan))]
    mean = float(np.mean(values)) if values else math.nan
    return mean, float(np.std(values, ddof=1)) if len(values) > 1 else math.nan, len(values)


def text(rows: Rows, measure: str, scale: float = 1.0, digits: int = 1) -> str | None:
    """Write a figure: mean and standard deviation over runs, or one run's with its interval; None if there is none."""
    mean, deviation, n = spread(rows, measure)
    if n == 0:
        return None
    if n > 1:
        return f"{scale * mean:.{digits}f} ± {scale * deviation:.{digits}f}"
    only = next(row for row in rows if row["status"] == 0 and not math.isnan(row.get(measure, math.nan)))
    bounds = [only.get(f"{measure}.{end}", math.nan) for end in ("low", "high")]
    interval = "" if any(map(math.isnan, bounds)) else f" [{', '.join(f'{scale * b:.{digits}f}' for b in bounds)}]"
    return f"{scale * mean:.{digits}f}{interval}"


def table(rows: Rows, measures: Mapping[str, str], *, head: str = "trained on", scale: float = 100.0) -> list[dict]:
    """Return a row per arm for a report's table.

    Args:
        rows: of runs.
        measures: column -> name of a score.
        head: of the first column.
        scale: of the figures; 100 writes shares in percent.
    """
    found = []
    for arm, runs in by_arm(rows).items():
        ended = sum(row["status"] == 0 for row in runs)
        cells = {column: text(runs, measure, scale, 1 if scale > 1 else 3) for column, measure in measures.items()}
        of = f"{ended}" if ended == len(runs) else f"{ended} of {len(runs)}"
        found.append({head: arm, **cells, "runs": of})
    return found


def require_some(rows: Rows, what: str) -> None:
    """Check that at least one run ended well.

    Raises:
        BadInput: none did; names a log.
    """
    if rows and all(row["status"] for row in rows):
        log = rows[0]["run"].parent / "log.txt"
        raise BadInput(f"{what}: every run failed, the first with exit status {rows[0]['status']}; see {log}")


def require_all(rows: Rows, what: str) -> None:
    """Check that all runs ended well, where what follows needs each.

    Raises:
        BadInput: names the first log.
    """
    for row in rows:
        if row["status"]:
            log = row["run"].parent / "log.txt"
            raise BadInput(
                f"{what}: {row['arm']} failed with exit status {row['status']}, and all are needed; see {log}"
            )


def failures(failed: Mapping[Job, int], workdir: Path) -> list[dict]:
    """Return a row per failed job: its name, exit status, and log in the study's folder."""
    return [
        {"failed": job.name, "exit status": status, "log": str((job.folder / "log.txt").relative_to(workdir))}
        for job, status in failed.items()
    ]


def write_csv(path: str | Path, rows: Rows) -> Path:
    """Write every run's figures, a line per run; those that not all have are left empty where they are missing.

    Args:
        path: in the study's folder, relative to which runs are named.
        rows: of runs.
    """
    names = [name for name in dict.fromkeys(name for row in rows for name in row) if plain_figure(name)]
    out = io.StringIO()
    writer = csv.DictWriter(out, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows({**row, "run": Path(row["run"]).parent.relative_to(Path(path).parent)} for row in rows)
    return atomic_write(path, out.getvalue())


def plain_figure(name: str) -> bool:
    """Whether a name is of a figure rather than of an interval's end or a count."""
    return not name.endswith((".low", ".high")) and not any(part in f"/{name}" for part in map("/".__add__, ASIDE))


def aligned(rows: Rows) -> str:
    """Return a table as text with its columns aligned, for a terminal."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    cells = [columns, *([cell(row.get(name), 3) for name in columns] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    return "\n".join("  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip() for line in cells)


def along(rows: Rows, measure: str) -> dict[str, list[lines.Point]]:
    """Return a figure that was recorded along the training of each arm, the mean over its runs that ended well."""
    found = {}
    for arm, runs in by_arm(rows).items():
        steps: dict[int, list[float]] = {}
        for row in runs:
            for line in record(row["run"] / "metrics.jsonl") if row["status"] == 0 else ():
                if measure in line:
                    steps.setdefault(line["step"], []).append(line[measure])
        found[arm] = [lines.Point(step, sum(values) / len(values)) for step, values in sorted(steps.items())]
    return found
