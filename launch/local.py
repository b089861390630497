"""On this machine, each job in processes of its own: one at a time, or side by side on shares of its cores or GPUs."""

import os
from collections.abc import Iterator, Sequence

from fergen.core import environment
from fergen.core.errors import BadInput
from fergen.studies.jobs import Job
from launch import commands

OPTIONS: dict = {"parallel": 1}


def run(jobs: Sequence[Job], *, parallel: int) -> Iterator[tuple[Job, int]]:
    """Run jobs; see `fergen.studies.jobs`. What a job prints goes to its log.txt.

    Args:
        jobs: started in this order; the failure of one stops no other.
        parallel: how many run at a time. Several share the cores, and each has a GPU to itself where there are as many.

    Raises:
        Preempted: SIGTERM or SIGINT came, or a command said that it was stopped; all were asked to save and did.
    """
    if parallel < 1:
        raise BadInput(f"--executor=local:parallel={parallel}: expected at least 1")

    def work(job: Job, stop: commands.Stop, share: tuple[set[int], dict[str, str]]) -> int:
        cores, added = share
        if cores:
            # Of this thread; a process that it starts inherits them, and XLA takes as many threads.
            os.sched_setaffinity(0, cores)
        return commands.run(job, stop, added)

    yield from commands.each(jobs, work, shares(parallel))


def shares(parallel: int) -> list[tuple[set[int], dict[str, str]]]:
    """Return for each of several jobs at a time its cores (none: all of them) and the variables of its processes.

    Equal shares, so that a job's numbers do not depend on the place that it got.
    """
    platform, gpus = environment.platform_of(), environment.gpus()
    per_gpu = -(-parallel // len(gpus)) if gpus else 1
    added = environment.added(platform, jobs_per_gpu=per_gpu)
    if parallel == 1:
        return [(set(), added)]
    there = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    each = max(1, len(there) // parallel)
    return [
        (
            {there[(i * each + j) % len(there)] for j in range(each)} if there else set(),
            added | ({"CUDA_VISIBLE_DEVICES": gpus[i % len(gpus)]} if platform == "cuda" and gpus else {}),
        )
        for i in range(parallel)
    ]
