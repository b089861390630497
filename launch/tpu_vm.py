"""On a slice of Cloud TPU VMs: the same command on every host, over gcloud's ssh, one job after another.

  --executor=tpu_vm:name=my-slice,zone=us-central2-b,dry_run=true     prints what would be run, and needs no gcloud

jax finds the other hosts of the slice itself. The hosts have fergen installed and share a disk on which the jobs'
folders lie, under the same paths as here. Google develops this interface no further, and TPUs of the seventh generation
lack it: `xpk` runs the same jobs on Google Kubernetes Engine.
"""

import shlex
from collections.abc import Iterator, Sequence

from fergen.core import environment
from fergen.core.errors import BadInput
from fergen.studies.jobs import DISTRIBUTED, Job
from launch import commands

OPTIONS: dict = {
    "name": "",  # of the slice
    "zone": "",  # empty, here and below: what gcloud is set to
    "project": "",
    "directory": "",  # where the commands run; empty: the home folder
    "prologue": "",  # before each, for example: source venv/bin/activate
    "dry_run": False,
}
INSTALL = "https://cloud.google.com/sdk/docs/install"


def run(
    jobs: Sequence[Job], *, dry_run: bool, name: str, zone: str, project: str, directory: str, prologue: str
) -> Iterator[tuple[Job, int]]:
    """Run jobs, or print how (then none is yielded); see `OPTIONS` and `fergen.studies.jobs`.

    Raises:
        BadInput: no slice is named, or gcloud is missing.
        Preempted: SIGTERM or SIGINT came here; the hosts were asked to save.
    """
    if not name:
        raise BadInput("--executor=tpu_vm: expected name=SLICE, a slice of TPU VMs; found none")

    def chain(job: Job) -> list[list[str]]:
        found = []
        for command in job.commands:
            joined = command[0] in DISTRIBUTED
            text = shlex.join(["fergen", *command, *(["--distributed"] if joined else [])])
            change = f"cd {shlex.quote(directory)}" if directory else ""
            script = " && ".join(filter(None, (change, prologue, exports(), text)))
            found.append(ssh(name, zone, project, script, worker="all" if joined else "0"))
        return found

    if dry_run:
        for job in jobs:
            print(f"# {job.name}", *map(shlex.join, chain(job)), sep="\n")
        return
    commands.require("gcloud", INSTALL)
    # The console command's own name, for which the hosts look among this user's processes.
    ask = ssh(name, zone, project, "pkill -TERM -x fergen", worker="all")

    def work(job: Job, stop: commands.Stop, _: None) -> int:
        return commands.chain(job, [(shlex.join(argv), argv) for argv in chain(job)], stop, ask=ask)

    yield from commands.each(jobs, work, [None])


def ssh(name: str, zone: str, project: str, script: str, *, worker: str) -> list[str]:
    """Return the command that runs a script on hosts of a slice.

    Reference: cloud.google.com/sdk/gcloud/reference/compute/tpus/tpu-vm/ssh.
    """
    return [
        "gcloud", "compute", "tpus", "tpu-vm", "ssh", name,
        *([f"--zone={zone}"] if zone else []),
        *([f"--project={project}"] if project else []),
        f"--worker={worker}",
        f"--command={script}",
    ]  # fmt: skip


def exports() -> str:
    """Return what runs on a TPU need, whatever fergen finds there, as a shell command; what is set stands."""
    return " ".join(
        ["export", *(f'{name}="${{{name}:-{value}}}"' for name, value in environment.VARIABLES["tpu"].items())]
    )
