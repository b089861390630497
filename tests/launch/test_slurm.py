"""Arrays of jobs through submitit: on a real SLURM where there may be one (marked `slurm`), on this machine always."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from fergen.core.errors import BadInput, Preempted
from fergen.core.record import rows
from fergen.studies.jobs import Job, executor
from fergen.train import checkpoints
from launch import slurm
from tests.train.conftest import TINY, tiny_set

__all__ = ["tiny_set"]

submitit = pytest.importorskip("submitit")
ROOT = Path(__file__).parents[2]
# Stands for fergen: `again FILE` was stopped at first and succeeds when it comes back.
VERB = """
import pathlib, sys
verb, *rest = sys.argv[1:]
print(verb, *rest)
marker = pathlib.Path(rest[0])
if verb == "again" and not marker.exists():
    marker.touch()
    sys.exit(75)
sys.exit(int(rest[0]) if verb == "exit" else 0)
"""


@pytest.fixture
def verbs(tmp_path, monkeypatch):
    (tmp_path / "fergen").mkdir()
    (tmp_path / "fergen" / "main.py").write_text(VERB)
    # The rest of the package is ours.
    (tmp_path / "fergen" / "__init__.py").write_text(f"__path__.append({str(ROOT / 'fergen')!r})\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{ROOT}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def job(folder: Path, *chain: str) -> Job:
    return Job(folder.name, tuple(tuple(command.split()) for command in chain), folder)


def test_an_array_with_a_failure_and_one_that_is_queued_again(verbs):
    jobs = [
        job(verbs / "runs" / "good", "say x", "say y"),
        job(verbs / "runs" / "bad", "exit 3", "say never"),
        job(verbs / "runs" / "again", f"again {verbs / 'marker'}", "say z"),
    ]
    statuses = {entry.name: status for entry, status in executor("slurm:cluster=local")(jobs)}
    assert statuses == {"good": 0, "bad": 3, "again": 0}
    assert (jobs[0].folder / "log.txt").read_text() == "$ fergen say x\nsay x\n$ fergen say y\nsay y\n"
    assert "never" not in (jobs[1].folder / "log.txt").read_text()
    # Stopped, it came back and began anew; a command of fergen's goes on from its checkpoint.
    assert (jobs[2].folder / "log.txt").read_text().count("$ fergen again") == 2
    assert (verbs / "runs" / "slurm").is_dir(), "submitit's files lie beside the jobs'"


def test_several_nodes_join_in_what_can_be_shared():
    chain = (("prepare", "fer2013"), ("train", "--config=x"), ("eval", "--workdir=y"))
    work = slurm.Work(Job("a", chain, Path("runs/a")), Path("launch"), nodes=2, gpus=4)
    first, second = work.share(0), work.share(1)
    joined = (("train", "--config=x", "--distributed"), ("eval", "--workdir=y", "--distributed"))
    assert first == Job("a", (chain[0], *joined), Path("runs/a"))
    assert second == Job("a", joined, Path("runs/a/node1"))
    alone = slurm.Work(work.job, Path("launch"), nodes=1, gpus=4)
    assert alone.share(0) == work.job


def test_what_is_missing_is_said(monkeypatch, tmp_path):
    jobs = [job(tmp_path / "a", "say x")]
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadInput, match="found no sbatch on this machine"):
        list(executor("slurm")(jobs))
    for name, text in (("sbatch", "echo 'sbatch: error: no such partition' >&2; exit 1"), ("srun", "")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    with pytest.raises(BadInput, match="sbatch refused: .*no such partition"):
        list(executor("slurm:partition=nowhere")(jobs))
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(BadInput, match=r"pip install 'fergen\[slurm\]'"):
        list(executor("slurm")(jobs))


@pytest.fixture(scope="module")
def cluster():
    """A SLURM of two nodes on this machine."""
    if os.geteuid():
        pytest.skip("only root can start a SLURM")
    if not shutil.which("slurmctld") and not shutil.which("apt-get"):
        pytest.skip("no SLURM here, and no apt-get to install it")
    started = subprocess.run(["bash", Path(__file__).with_name("slurm.sh")], capture_output=True, text=True)
    if started.returncode and not shutil.which("slurmctld"):
        pytest.skip(f"SLURM could not be installed: {started.stderr.strip().splitlines()[-1]}")
    assert started.returncode == 0, started.stderr


@pytest.fixture
def devices(monkeypatch):
    """One device for each process: two nodes of eight would be much for two cores."""
    flags = [flag for flag in os.environ["XLA_FLAGS"].split() if "device_count" not in flag]
    monkeypatch.setenv("XLA_FLAGS", " ".join(flags))


def trainings(tiny_set: Path, folder: Path, *names: str) -> list[Job]:
    """The same run several times over: 72 steps."""
    argv = ("train", f"--config={TINY}:{tiny_set}")
    return [Job(name, ((*argv, f"--workdir={folder / name}"),), folder / name) for name in names]


def signalled(entry: Job, index: int, name: str) -> threading.Thread:
    """Send a signal to a job of the array as SLURM would, once it has trained a few steps."""

    def watch() -> None:
        end = time.monotonic() + 300
        while time.monotonic() < end:
            recorded = rows(entry.folder / "metrics.jsonl")
            if recorded and recorded[-1]["step"] >= 8:
                script = next((entry.folder.parent / "slurm").glob("*_submission.sh"))
                number = script.name.partition("_")[0]
                subprocess.run(["scancel", f"--signal={name}", f"{number}_{index}"], check=True)
                return
            time.sleep(0.02)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


def sums(entry: Job) -> dict[str, str]:
    step = checkpoints.steps(entry.folder)[-1]
    assert step == 72
    return checkpoints.read_meta((entry.folder / "checkpoints" / str(step)).resolve())["state_sums"]


def assert_stopped_and_resumed(entry: Job) -> None:
    log = (entry.folder / "log.txt").read_text()
    assert log.count("$ fergen train") == 2, log
    assert "all saved; repeat the command" in log
    assert "resumed: step" in log


@pytest.mark.slurm
def test_preempted_jobs_of_an_array_come_back_and_end_with_the_same_bits(cluster, devices, tiny_set, tmp_path):
    jobs = trainings(tiny_set, tmp_path, "warned", "terminated", "straight")
    threads = [signalled(jobs[0], 0, "USR2"), signalled(jobs[1], 1, "TERM")]
    assert {entry.name: status for entry, status in executor("slurm")(jobs)} == {entry.name: 0 for entry in jobs}
    for thread in threads:
        thread.join()
    assert_stopped_and_resumed(jobs[0])
    assert_stopped_and_resumed(jobs[1])
    assert sums(jobs[0]) == sums(jobs[1]) == sums(jobs[2])
    assert rows(jobs[0].folder / "metrics.jsonl") == rows(jobs[2].folder / "metrics.jsonl")


@pytest.mark.slurm
def test_a_run_of_two_nodes_is_preempted_and_comes_back(cluster, devices, tiny_set, tmp_path):
    jobs = trainings(tiny_set, tmp_path, "warned", "straight")
    thread = signalled(jobs[0], 0, "USR2")
    assert [status for _, status in executor("slurm:nodes=2")(jobs)] == [0, 0]
    thread.join()
    assert_stopped_and_resumed(jobs[0])
    assert sums(jobs[0]) == sums(jobs[1])
    assert "2 device(s)" in (jobs[1].folder / "log.txt").read_text()
    assert (jobs[1].folder / "node1" / "log.txt").exists()


PARENT = """
import sys
from pathlib import Path
from fergen.core.errors import Preempted
from fergen.studies.jobs import Job, executor
folder, *command = sys.argv[1:]
try:
    print(list(executor("slurm")([Job("a", (tuple(command),), Path(folder))])))
except Preempted as stopped:
    sys.exit(stopped.status)
"""


@pytest.mark.slurm
def test_who_is_stopped_withdraws_its_jobs(cluster, devices, tiny_set, tmp_path):
    (entry,) = trainings(tiny_set, tmp_path, "a")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", PARENT, str(entry.folder), *entry.commands[0]], env=environment)
    end = time.monotonic() + 300
    while not rows(entry.folder / "metrics.jsonl"):
        assert time.monotonic() < end
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(120) == Preempted.status
    assert "all saved" in (entry.folder / "log.txt").read_text()
    assert 0 < checkpoints.steps(entry.folder)[-1] < 72
    queued = subprocess.run(["squeue", "--noheader"], capture_output=True, text=True, check=True)
    assert queued.stdout == ""
