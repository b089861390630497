"""In this very process, one job after another: for studies of few short runs, where starting processes would show."""

import contextlib
import traceback
from collections.abc import Iterator, Sequence

from fergen.core.errors import Preempted
from fergen.main import main
from fergen.studies.jobs import Job

OPTIONS: dict = {}


def run(jobs: Sequence[Job]) -> Iterator[tuple[Job, int]]:
    """Run jobs; see `fergen.studies.jobs`.

    Raises:
        Preempted: a signal stopped one, and it saved.
    """
    for job in jobs:
        job.folder.mkdir(parents=True, exist_ok=True)
        with (
            (job.folder / "log.txt").open("a") as log,
            contextlib.redirect_stdout(log),
            contextlib.redirect_stderr(log),
        ):
            try:
                status = next((status for command in job.commands if (status := main(list(command)))), 0)
            except SystemExit as end:  # of a parser, which has said why
                status = end.code if isinstance(end.code, int) else int(end.code is not None)
            except Exception:  # a fault of one run, which must not end the others
                traceback.print_exc(file=log)
                status = 1
        if status == Preempted.status:
            raise Preempted(f"{job.folder}: stopped, all saved; repeat the command to go on")
        yield job, status
