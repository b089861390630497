"""In this very process, one run after another: for studies of few short runs, where starting processes would show."""

from collections.abc import Iterator, Sequence

from fergen.core.errors import Preempted
from fergen.main import main
from fergen.studies.jobs import Job

OPTIONS: dict = {}


def run(jobs: Sequence[Job]) -> Iterator[tuple[Job, int]]:
    """Run jobs; see `fergen.studies.jobs`. What they print is printed.

    Raises:
        Preempted: a signal stopped one, and it saved.
    """
    for job in jobs:
        status = next((status for command in job.commands if (status := main(list(command)))), 0)
        if status == Preempted.status:
            raise Preempted(f"{job.folder}: stopped, all saved; repeat the command to go on")
        yield job, status
