"""Jobs on this machine: in order or side by side, each for itself, and stopped together."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fergen.core import environment
from fergen.core.errors import BadInput, Preempted
from fergen.studies.jobs import Job, executor
from launch import commands, local

ROOT = Path(__file__).parents[2]
# Stands for fergen: a verb that tells where and when it ran, and does as its arguments say.
VERB = """
import os, signal, sys, time
verb, *rest = sys.argv[1:]
begun = time.monotonic()
if verb == "wait":
    def save(*_):
        open("saved_" + rest[0], "w").close()
        sys.exit(75)
    signal.signal(signal.SIGTERM, save)
    open("began_" + rest[0], "w").close()
    time.sleep(60)
if verb == "sleep":
    time.sleep(float(rest[0]))
cores = len(os.sched_getaffinity(0))
print(verb, *rest, begun, time.monotonic(), cores, os.environ.get("CUDA_VISIBLE_DEVICES", "none"))
sys.exit(int(rest[0]) if verb == "exit" else 0)
"""


@pytest.fixture(autouse=True)
def verbs(tmp_path, monkeypatch):
    """Commands run `fergen/main.py` of a folder of its own, in which they work."""
    (tmp_path / "stand_in" / "fergen").mkdir(parents=True)
    (tmp_path / "stand_in" / "fergen" / "main.py").write_text(VERB)
    (tmp_path / "stand_in" / "fergen" / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "stand_in"))
    monkeypatch.chdir(tmp_path)


def job(name: str, *chain: str) -> Job:
    return Job(name, tuple(tuple(command.split()) for command in chain), Path("runs") / name)


def said(job: Job) -> list[list[str]]:
    lines = (job.folder / "log.txt").read_text().splitlines()
    return [line.split() for line in lines if not line.startswith("$")]


def test_one_at_a_time_in_order_each_with_all_cores():
    jobs = [job("a", "sleep 0.2", "say x"), job("b", "say y")]
    assert list(executor("local")(jobs)) == [(jobs[0], 0), (jobs[1], 0)]
    (slept, spoke), (last,) = said(jobs[0]), said(jobs[1])
    assert (spoke[:2], last[:2]) == (["say", "x"], ["say", "y"])
    assert float(slept[3]) <= float(spoke[2])
    assert float(spoke[3]) <= float(last[2])
    assert int(last[4]) == len(os.sched_getaffinity(0))
    assert (jobs[0].folder / "log.txt").read_text().splitlines()[0] == "$ fergen sleep 0.2"


def test_a_failure_ends_its_own_job_alone():
    jobs = [job("bad", "exit 3", "say never"), job("good", "say done"), job("killed", "exit 0", "exit 2")]
    assert {j.name: status for j, status in executor("local:parallel=2")(jobs)} == {"bad": 3, "good": 0, "killed": 2}
    assert [line[0] for line in said(jobs[0])] == ["exit"]
    assert said(jobs[1])[0][1] == "done"


def test_side_by_side_on_shares_of_the_cores():
    jobs = [job("a", "sleep 1"), job("b", "sleep 1")]
    assert [status for _, status in executor("local:parallel=2")(jobs)] == [0, 0]
    (a,), (b,) = (said(j) for j in jobs)
    assert float(a[2]) < float(b[3])
    assert float(b[2]) < float(a[3]), "they ran at the same time"
    assert int(a[4]) == int(b[4]) == max(1, len(os.sched_getaffinity(0)) // 2)


def test_a_gpu_for_each_of_several_jobs(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    assert [added["CUDA_VISIBLE_DEVICES"] for _, added in local.shares(3)] == ["0", "1", "0"]
    assert local.shares(2)[0][1].get(environment.MEMORY_SHARE) is None
    assert {added[environment.MEMORY_SHARE] for _, added in local.shares(4)} == {"0.45"}
    assert "CUDA_VISIBLE_DEVICES" not in local.shares(1)[0][1], "alone, a job has all of them"
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    assert all("CUDA_VISIBLE_DEVICES" not in added for _, added in local.shares(2))


def test_a_job_that_was_stopped_stops_the_others():
    jobs = [job("a", "wait a"), job("b", "exit 75"), job("c", "say never")]
    done = []
    with pytest.raises(Preempted, match="repeat the command"):
        done += list(executor("local:parallel=2")(jobs))
    assert done == []
    assert not jobs[2].folder.exists()


def started(name: str, script: str) -> subprocess.Popen:
    """Start a parent of two jobs that wait for SIGTERM."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "STAND_IN": os.environ["PYTHONPATH"]}
    process = subprocess.Popen([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, text=True)
    end = time.monotonic() + 60
    while not (Path("began_a").exists() and Path("began_b").exists()):
        assert process.poll() is None, name
        assert time.monotonic() < end
        time.sleep(0.02)
    return process


PARENT = """
import os, sys
from pathlib import Path
from fergen.core.errors import Preempted
from fergen.studies.jobs import Job, executor
os.environ["PYTHONPATH"] = os.environ["STAND_IN"]
jobs = [Job(name, (("wait", name), ("say", name)), Path("runs") / name) for name in "abc"]
try:
    print(list(executor("local:parallel=2")(jobs)))
except Preempted as stopped:
    print(stopped)
    sys.exit(stopped.status)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_passed_on_and_what_runs_is_waited_for(number):
    process = started(number.name, PARENT)
    process.send_signal(number)
    words, _ = process.communicate(timeout=30)
    assert process.returncode == Preempted.status
    assert "saved" in words
    assert Path("saved_a").exists()
    assert Path("saved_b").exists()
    assert not Path("runs/c").exists()
    assert all("say" not in line for line in said(job("a")))


def test_who_wants_no_more_leaves_nothing_running():
    jobs = [job("a", "say x"), job("b", "wait b"), job("c", "wait c")]
    ended = executor("local:parallel=2")(jobs)
    assert next(ended) == (jobs[0], 0)
    began = time.monotonic()
    while not Path("began_b").exists():
        assert time.monotonic() - began < 30
        time.sleep(0.02)
    ended.close()
    assert Path("saved_b").exists()


def test_a_command_that_a_signal_ended_has_the_status_of_shells(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"])
    assert commands.wait(process, commands.Stop()) == 137
    stop = commands.Stop()
    stop.ask()
    stop.ask()
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    assert commands.wait(subprocess.Popen([sys.executable, "-c", stubborn]), stop) in (137, 143)


def test_no_job_at_a_time_is_refused():
    with pytest.raises(BadInput, match="parallel=0: expected at least 1"):
        list(executor("local:parallel=0")([]))
