"""On TPUs of Google Kubernetes Engine through XPK: a job is a workload, a JobSet with a pod on every host of a slice.

  --executor=xpk:cluster=mine,tpu=v5litepod-16,image=gcr.io/me/fergen,dry_run=true      prints what would be run

jax finds the other hosts of the slice itself. The image has fergen installed, and its pods a disk on which the jobs'
folders lie, under the same paths as here. A pod that is evicted gets SIGTERM and its command saves; the JobSet starts
again, as it does after a failure, up to `restarts` times.
"""

import hashlib
import re
import shlex
from collections.abc import Iterator, Sequence

from fergen.core.errors import BadInput, Preempted
from fergen.studies.jobs import DISTRIBUTED, Job
from launch import commands, tpu_vm

OPTIONS: dict = {
    "cluster": "",  # made by xpk cluster create
    "tpu": "",  # a type of XPK's, for example v5litepod-16
    "image": "",
    "slices": 1,  # per job
    "zone": "",  # empty, here and below: what gcloud is set to
    "project": "",
    "priority": "medium",
    "restarts": 50,
    "grace": 120,  # seconds in which an evicted pod may save
    "directory": "",  # where the commands run; empty: where the image says
    "prologue": "",  # before them
    "dry_run": False,
}
INSTALL = "https://github.com/AI-Hypercomputer/xpk"
# Google Kubernetes Engine numbers the hosts of a slice, and XPK the slices.
# XPK passes SIGTERM on to the shell of the script, which would die of it and leave the command behind: `go` tells the
# command and waits for it.
GO = (
    'go() { "$@" & trap "kill -TERM $!" TERM; wait $!; s=$?; '
    "while kill -0 $! 2>/dev/null; do wait $!; s=$?; done; return $s; }"
)
FIRST = '[ "${TPU_WORKER_ID:-0}${MEGASCALE_SLICE_ID:-0}" = 00 ]'


def run(jobs: Sequence[Job], *, dry_run: bool, cluster: str, zone: str, project: str, **options) -> Iterator:
    """Run jobs side by side, as the cluster has room, or print how; see `OPTIONS` and `fergen.studies.jobs`.

    Yields:
        (job, status) as the jobs end; nothing of a dry run.

    Raises:
        BadInput: no cluster, TPU or image is named, or xpk is missing.
        Preempted: SIGTERM or SIGINT came here; the workloads were asked to save, and taken back.
    """
    for needed, value in {"cluster": cluster, "tpu": options["tpu"], "image": options["image"]}.items():
        if not value:
            raise BadInput(f"--executor=xpk: expected {needed}=..., found none; launch/xpk.py shows an example")
    where = [f"--cluster={cluster}"]
    where += [f"--{flag}={value}" for flag, value in (("zone", zone), ("project", project)) if value]

    def chain(job: Job) -> list[list[str]]:
        wait = ["xpk", "workload", "list", *where, f"--wait-for-job-completion={workload(job)}"]
        return [create(job, where, **options), wait]

    if dry_run:
        for job in jobs:
            print(f"# {job.name}", *map(shlex.join, chain(job)), sep="\n")
        return
    commands.require("xpk", INSTALL)

    def work(job: Job, stop: commands.Stop, _: None) -> int:
        delete = ["xpk", "workload", "delete", *where, f"--workload={workload(job)}", "--force"]
        return commands.chain(job, [(shlex.join(argv), argv) for argv in chain(job)], stop, ask=delete)

    yield from commands.each(jobs, work, [None] * max(1, len(jobs)))


def create(
    job: Job,
    where: Sequence[str],
    *,
    tpu: str,
    image: str,
    slices: int,
    priority: str,
    restarts: int,
    grace: int,
    directory: str,
    prologue: str,
) -> list[str]:
    """Return the command that queues a job.

    Reference: github.com/AI-Hypercomputer/xpk, src/xpk/parser/workload.py.
    """
    return [
        "xpk", "workload", "create", *where,
        f"--workload={workload(job)}",
        f"--tpu-type={tpu}",
        f"--num-slices={slices}",
        f"--docker-image={image}",
        f"--priority={priority}",
        f"--max-restarts={restarts}",
        "--restart-on-user-code-failure",
        # Of a command that saved because it was asked to. XPK restarts none but its own list otherwise.
        f"--restart-on-exit-codes={Preempted.status}",
        f"--termination-grace-period-seconds={grace}",
        f"--command={script(job, directory=directory, prologue=prologue)}",
    ]  # fmt: skip


def script(job: Job, *, directory: str, prologue: str) -> str:
    """Return what every host runs: the job's commands in order, until one fails."""
    lines = [GO, f"cd {shlex.quote(directory)}" if directory else "", prologue, tpu_vm.exports()]
    for command in job.commands:
        if command[0] in DISTRIBUTED:
            lines.append(shlex.join(["go", "fergen", *command, "--distributed"]))
        else:
            lines.append(f"if {FIRST}; then {shlex.join(['go', 'fergen', *command])}; fi")
    return " && ".join(filter(None, lines))


def workload(job: Job) -> str:
    """Return a job's name as Kubernetes allows it, short enough for XPK's 40 characters, different for each folder."""
    plain = re.sub("[^a-z0-9]+", "-", job.name.lower())[:24].strip("-")
    return f"fergen-{plain}-{hashlib.sha256(str(job.folder.absolute()).encode()).hexdigest()[:5]}"
