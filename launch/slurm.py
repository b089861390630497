"""On a SLURM cluster through submitit: an array of jobs, requeued when they are preempted or their time is up.

Before SLURM takes a node away it tells the job, which asks its command to save, waits for it, and has itself requeued;
the command then goes on from its checkpoint. Jobs of several nodes run one process per node, joined by --distributed.
The folders of the jobs, and that of submitit's own files, must lie on a disk that all nodes share.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from fergen.core.errors import BadInput, Preempted
from fergen.studies import jobs as studies
from fergen.studies.jobs import Job

OPTIONS: dict = {
    "partition": "",  # empty, here and below: the cluster's default
    "account": "",
    "qos": "",
    "constraint": "",
    "minutes": 60,  # until a job is asked to save, and queued again
    "nodes": 1,  # per job
    "gpus": 0,  # per node
    "cpus": 1,  # per node
    "mem_gb": 0,  # per node; 0: the cluster's default
    "parallel": 256,  # jobs of the array at a time
    "requeues": 100,  # at most, because the time was up
    "folder": "",  # of submitit's files; empty: slurm/ beside the jobs' folders
    "cluster": "slurm",  # or local: the same on this machine, without SLURM
}
POLL_SECONDS = 1.0
# How often squeue is asked for jobs that left no result; clusters without accounting have no other way to say so.
ASK_SECONDS = 15.0
# Asks a job to save and end, without coming back.
WITHDRAW = signal.SIGUSR1


class Work:
    """What a node does of a job; submitit carries it there, and calls `checkpoint` before the node goes.

    It is carried by value, since the package `launch` is known to fergen alone: it loads what it needs where it runs.
    """

    def __init__(self, job: Job, folder: Path, nodes: int, gpus: int):
        self.job, self.folder, self.nodes, self.gpus = job, folder, nodes, gpus
        self.stop: Any = None
        self.status: int | None = None

    def __call__(self) -> int:
        """Run the job's commands; return their status."""
        from submitit import JobEnvironment

        commands = studies.module_of(self.folder / "commands.py")
        rank, withdrawn = JobEnvironment().global_rank, threading.Event()
        self.stop, self.status = commands.Stop(), None
        added = {}
        if self.nodes > 1 and self.gpus:
            # Under SLURM, jax would give each process one GPU; there is one process per node here.
            added["JAX_LOCAL_DEVICE_IDS"] = ",".join(map(str, range(self.gpus)))

        own = {WITHDRAW, getattr(signal, f"SIG{JobEnvironment.USR_SIG}")}

        def work() -> None:
            # SLURM signals all processes of a job. These signals are for this one; commands, which know SIGTERM alone,
            # inherit them blocked.
            signal.pthread_sigmask(signal.SIG_BLOCK, own)
            self.status = commands.run(self.share(rank), self.stop, added)

        # In a thread of its own, so that the handlers of signals can wait for it.
        threading.Thread(target=work, daemon=True).start()
        signal.signal(signal.SIGTERM, lambda *_: self.stop.asked.set())
        signal.signal(WITHDRAW, lambda *_: (withdrawn.set(), self.stop.asked.set()))
        status = self.wait()
        # Asked to stop, a command that did not end well comes back, whatever it said: it goes on from its checkpoint.
        unfinished = status == Preempted.status or (status != 0 and self.stop.asked.is_set())
        if not unfinished or withdrawn.is_set():
            return status
        if rank == 0:
            # SIGTERM: to submitit its own signal says the same, and it has this job requeued.
            signal.raise_signal(getattr(signal, f"SIG{JobEnvironment.USR_SIG}"))
        # The other nodes leave no result: the requeued job will.
        sys.exit(status)

    def wait(self) -> int:
        """Wait for the commands; without locks, since a handler may wait inside of another wait."""
        while self.status is None:
            time.sleep(0.05)
        return self.status

    def checkpoint(self) -> Any:
        """Have the command save, and return what is to be done when the job comes back."""
        from submitit.helpers import DelayedSubmission

        if self.stop:
            self.stop.asked.set()
            self.wait()
        return DelayedSubmission(Work(self.job, self.folder, self.nodes, self.gpus))

    def share(self, rank: int) -> Job:
        """Return what one of several nodes does of the job."""
        if self.nodes == 1:
            return self.job
        together = [
            (*command, "--distributed") if command[0] in studies.DISTRIBUTED else command
            for command in self.job.commands
            if rank == 0 or command[0] in studies.DISTRIBUTED
        ]
        # Each node's output in a file of its own; the first node's is the job's.
        folder = self.job.folder if rank == 0 else self.job.folder / f"node{rank}"
        return Job(self.job.name, tuple(together), folder)


def run(jobs: Sequence[Job], *, cluster: str, folder: str, **options: Any) -> Iterator[tuple[Job, int]]:
    """Run jobs as an array; see `OPTIONS` and `fergen.studies.jobs`.

    Raises:
        BadInput: submitit or SLURM is missing, or SLURM refuses the array.
        Preempted: SIGTERM or SIGINT came here; jobs that ran were asked to save, those that waited were withdrawn.
    """
    if not jobs:
        return
    queue = executor_of(cluster, Path(folder) if folder else shared(jobs) / "slurm", **options)
    here = Path(__file__).resolve().parent
    works = [Work(job._replace(folder=job.folder.resolve()), here, options["nodes"], options["gpus"]) for job in jobs]
    stop = studies.module_of(here / "commands.py").Stop()
    restore = stop.handle(signal.SIGTERM, signal.SIGINT)
    left: dict[Job, Any] = {}
    try:
        left = dict(zip(jobs, submit(queue, works)))
        asked = time.monotonic()
        while left and not stop.asked.is_set():
            time.sleep(POLL_SECONDS)
            gone: set[str] = set()
            if time.monotonic() - asked > ASK_SECONDS:
                gone, asked = finished(left.values(), cluster), time.monotonic()
            for job, entry in list(left.items()):
                if outcome(entry).exists() or entry.job_id in gone:
                    del left[job]
                    yield job, result(job, entry)
    finally:
        # Also when the caller wants no more: nothing is left in the queue behind its back.
        if left:
            withdraw(list(left.values()), cluster)
        restore()
    if left:
        raise Preempted("the jobs were withdrawn, what they had is saved; repeat the command to go on")


def executor_of(cluster: str, folder: Path, **options: Any) -> Any:
    """Return submitit's executor."""
    try:
        import submitit
    except ModuleNotFoundError:
        raise BadInput("--executor=slurm needs submitit: pip install 'fergen[slurm]'") from None
    if cluster == "slurm" and not shutil.which("sbatch"):
        raise BadInput("--executor=slurm: found no sbatch on this machine: start from a login node of the cluster")
    folder.mkdir(parents=True, exist_ok=True)
    executor = submitit.AutoExecutor(folder=folder, cluster=cluster, slurm_max_num_timeout=options["requeues"])
    names = ("partition", "account", "qos", "constraint")
    executor.update_parameters(
        name="fergen",
        timeout_min=options["minutes"],
        nodes=options["nodes"],
        tasks_per_node=1,
        cpus_per_task=options["cpus"],
        slurm_array_parallelism=options["parallel"],
        **{f"slurm_{name}": options[name] for name in names if options[name]},
        **({"gpus_per_node": options["gpus"]} if options["gpus"] else {}),
        **({"mem_gb": options["mem_gb"]} if options["mem_gb"] else {}),
    )
    return executor


def shared(jobs: Sequence[Job]) -> Path:
    """Return the folder that the jobs' folders have in common."""
    return Path(os.path.commonpath([job.folder.resolve().parent for job in jobs]))


def submit(queue: Any, works: Sequence[Work]) -> list[Any]:
    """Submit an array."""
    from submitit.core.utils import FailedJobError

    try:
        return queue.submit_array(works)
    except FailedJobError as error:
        raise BadInput(f"--executor=slurm: sbatch refused: {str(error).strip().splitlines()[-1]}") from None


def finished(entries: Iterable[Any], cluster: str) -> set[str]:
    """Return the numbers of jobs that the queue no longer lists: they ended, or were cancelled.

    submitit would ask sacct, which clusters without accounting lack.
    """
    numbers = {entry.job_id for entry in entries}
    if cluster != "slurm":
        return {entry.job_id for entry in entries if entry.done()}
    array = ",".join(sorted({number.partition("_")[0] for number in numbers}))
    asked = subprocess.run(
        ["squeue", "--noheader", "--array", "--format=%i", f"--jobs={array}"], capture_output=True, text=True
    )
    if asked.returncode and "Invalid job id" not in asked.stderr:
        return set()
    return numbers - set(asked.stdout.split())


def outcome(entry: Any) -> Path:
    """Return the file in which the first node leaves a job's result."""
    return (entry.task(0) if entry.num_tasks > 1 else entry).paths.result_pickle


def result(job: Job, entry: Any) -> int:
    """Return a job's status; what went wrong around its commands goes to its log."""
    from submitit.core.utils import pickle_load

    # A shared disk may show the file later than the queue says that the job has ended.
    for _ in range(5):
        if outcome(entry).exists():
            break
        time.sleep(POLL_SECONDS)
    kind, value = pickle_load(outcome(entry)) if outcome(entry).exists() else ("error", "ended without a result")
    if kind == "success":
        return value
    job.folder.mkdir(parents=True, exist_ok=True)
    with (job.folder / "log.txt").open("a") as log:
        log.write(f"job {entry.job_id}: {value}; see {outcome(entry).parent}\n")
    return 1


def withdraw(entries: Sequence[Any], cluster: str) -> None:
    """Take back what waits, have what runs save, and wait until all have ended."""
    for entry in entries:
        if cluster == "slurm":
            subprocess.run(["scancel", "--state=PENDING", entry.job_id], check=False)
            subprocess.run(["scancel", f"--signal={WITHDRAW.name.removeprefix('SIG')}", entry.job_id], check=False)
        else:
            entry.cancel()
    while len(finished(entries, cluster)) < len(entries):
        time.sleep(POLL_SECONDS)
