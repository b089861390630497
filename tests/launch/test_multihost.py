"""Several processes as one job on this machine: the losses of one, one checkpoint, exact scores, a clear end."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from fergen import main
from fergen.core import hosts
from fergen.core.errors import BadInput, Preempted
from fergen.core.paths import read_json
from fergen.core.record import rows
from fergen.train import checkpoints
from tests.train.conftest import TINY, tiny_set

__all__ = ["tiny_set"]

ROOT = Path(__file__).parents[2]
# 24 steps, saved at every sixth.
SHORT = ["--config.epochs=4.0"]


@contextlib.contextmanager
def job(n: int, *argv: str, program: tuple[str, ...] = ("-m", "fergen.main")):
    """Start a command as n processes with a device each, whose outputs are read at the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    flags = os.environ["XLA_FLAGS"].split()
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "XLA_FLAGS": " ".join(flag for flag in flags if "device_count" not in flag),
    }
    processes = [
        subprocess.Popen(
            [sys.executable, *program, *argv, f"--distributed=127.0.0.1:{port},{n},{i}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for i in range(n)
    ]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def ended(processes: list[subprocess.Popen], timeout: float = 300) -> list[tuple[int, str, str]]:
    """Wait for all; (status, what it printed, what it said on standard error) of each."""
    said = [process.communicate(timeout=timeout) for process in processes]
    return [(process.returncode, *words) for process, words in zip(processes, said)]


def wait_for_step(processes: list[subprocess.Popen], workdir: Path, step: int) -> None:
    """Wait for a recorded step and, as checkpoints are written beside the steps, for a first one of them."""
    end = time.monotonic() + 300
    while time.monotonic() < end and all(process.poll() is None for process in processes):
        recorded = rows(workdir / "metrics.jsonl")
        if recorded and recorded[-1]["step"] >= step and checkpoints.steps(workdir):
            return
        time.sleep(0.01)
    raise AssertionError(f"the job ended or hung before step {step}: {ended(processes)}")


def train(tiny_set: Path, workdir: Path, *more: str) -> list[str]:
    return ["train", f"--config={TINY}:{tiny_set}", *SHORT, f"--workdir={workdir}", *more]


def done(processes: list[subprocess.Popen]) -> str:
    """Wait for a job that succeeds; return what process 0 printed, the others being silent."""
    found = ended(processes)
    assert [status for status, *_ in found] == [0] * len(found), found
    # Libraries in C++ say what they like; of ours, nothing.
    others = [out + err for _, out, err in found[1:]]
    assert not any(word in text for text in others for word in ("steps", "images", "accuracy", "note:")), others
    return found[0][1]


def sums(workdir: Path) -> dict[str, str]:
    """The checksums of all that the last checkpoint holds."""
    step = checkpoints.steps(workdir)[-1]
    assert step == 24
    meta = checkpoints.read_meta((workdir / "checkpoints" / str(step)).resolve())
    return meta["state_sums"]


def losses(workdir: Path) -> list[float]:
    return [row["train/loss"] for row in rows(workdir / "metrics.jsonl") if "train/loss" in row]


@pytest.fixture(scope="module")
def alone(tiny_set, tmp_path_factory):
    """The workdir of the run of a single process, of eight devices."""
    workdir = tmp_path_factory.mktemp("alone")
    assert main.main(train(tiny_set, workdir, "--quiet")) == 0
    return workdir


@pytest.fixture(scope="module")
def two(tiny_set, tmp_path_factory):
    """The workdir of an uninterrupted run of two processes."""
    workdir = tmp_path_factory.mktemp("two")
    with job(2, *train(tiny_set, workdir)) as processes:
        assert "24 steps in" in done(processes)
    return workdir


def assert_same_run(workdir: Path, alone: Path) -> None:
    """Compare with the run of a single process, to rounding."""
    np.testing.assert_allclose(losses(workdir), losses(alone), rtol=2e-4)
    ours, theirs = (
        [row for row in rows(folder / "metrics.jsonl") if "validation/loss" in row] for folder in (workdir, alone)
    )
    assert len(ours) == len(theirs) == 2
    for a, b in zip(ours, theirs):
        # 21 rows over two or four devices: the last batch is ragged.
        assert (a["validation/accuracy"], a["validation/macro_recall"]) == (
            b["validation/accuracy"],
            b["validation/macro_recall"],
        )
        assert a["validation/loss"] == pytest.approx(b["validation/loss"], rel=2e-4)


def test_two_processes_train_as_one(two, alone):
    assert_same_run(two, alone)
    assert read_json(two / "config.json") == read_json(alone / "config.json")
    assert {p.name for p in two.iterdir()} == {p.name for p in alone.iterdir()}
    assert sums(two).keys() == sums(alone).keys()


def test_killed_and_stopped_it_goes_on_and_ends_with_the_same_bits(tiny_set, two, tmp_path):
    argv = train(tiny_set, tmp_path)
    with job(2, *argv) as processes:
        wait_for_step(processes, tmp_path, 8)
        processes[1].kill()
        (status, _, said), (killed, *_) = ended(processes, timeout=hosts.HEARTBEAT + 30)
    assert killed == -signal.SIGKILL
    # Ours, when the collective fails first; else that of JAX's coordination service, which aborts.
    assert status in (hosts.Lost.status, -signal.SIGABRT)
    assert "another process of the job ended" in said or "another task died" in said
    assert checkpoints.steps(tmp_path)[-1] < 24

    with job(2, *argv) as processes:
        resumed, recorded = checkpoints.steps(tmp_path)[-1], rows(tmp_path / "metrics.jsonl")[-1]["step"]
        # Past what the killed job has recorded.
        wait_for_step(processes, tmp_path, recorded + 2)
        processes[1].terminate()
        found = ended(processes)
    assert [status for status, *_ in found] == [Preempted.status] * 2, found
    assert f"resumed: step {resumed} of 24" in found[0][2]
    assert all("all saved; repeat the command" in said for *_, said in found)
    assert resumed < checkpoints.steps(tmp_path)[-1] < 24

    with job(2, *argv) as processes:
        done(processes)
    assert sums(tmp_path) == sums(two)
    assert rows(tmp_path / "metrics.jsonl") == rows(two / "metrics.jsonl")


def test_evaluation_is_exact_on_a_ragged_last_batch(two, tmp_path):
    argv = ["eval", f"--weights={two}", "--split=train,validation", "--batch=20", "--bootstrap=20"]
    with job(2, *argv, f"--out={tmp_path / 'two'}") as processes:
        assert "accuracy" in done(processes)
    assert main.main([*argv, f"--out={tmp_path / 'one'}"]) == 0
    for split, n in (("train", 96), ("validation", 21)):
        ours, theirs = (read_json(tmp_path / folder / f"{split}.json") for folder in ("two", "one"))
        assert ours.keys() == theirs.keys()
        assert ours["n"] == n
        assert ours["accuracy"] == theirs["accuracy"]
        for name, value in theirs.items():
            assert ours[name] == (pytest.approx(value, rel=1e-4) if isinstance(value, float) else value), name


GENERATING = """
import sys
from pathlib import Path
import jax
import numpy as np
from fergen.core import hosts
from fergen.core import mesh as meshes
from fergen.evals import sheet
from fergen.train import synthesis
from tests.train import fake_generator
folder = Path(sys.argv[1])
with hosts.joined(sys.argv[2].partition("=")[2] or None):
    net, mesh = fake_generator.generator(), meshes.build()
    variables = meshes.place(net.variables, meshes.replicated(mesh))
    picture = sheet.build(net.predict, net.spec, mesh=mesh)(variables)
    if jax.process_index() == 0:
        np.save(folder / "picture.npy", picture)
    synthesis.write(folder / "faces", net, {"happy": 11, "sad": 8}, batch=4)
"""


def test_two_processes_generate_what_one_does(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    program = ("-c", GENERATING)
    with job(2, str(tmp_path / "two"), program=program) as processes:
        done(processes)
    alone = [sys.executable, *program, str(tmp_path / "one"), ""]
    subprocess.run(alone, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    ours, theirs = (
        {p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob("*") if p.is_file()}
        for name in ("two", "one")
    )
    assert len(ours) > 3
    assert ours == theirs


def test_a_workdir_in_use_is_refused_by_all(tiny_set, tmp_path):
    with checkpoints.locked(tmp_path), job(2, *train(tiny_set, tmp_path)) as processes:
        found = ended(processes)
    assert [status for status, *_ in found] == [BadInput.status] * 2, found
    assert all("another run is at work here" in said for *_, said in found)


@pytest.mark.slow
def test_four_processes_and_the_death_of_the_first(tiny_set, alone, tmp_path):
    straight, workdir = tmp_path / "straight", tmp_path / "killed"
    with job(4, *train(tiny_set, straight)) as processes:
        done(processes)
    assert_same_run(straight, alone)
    with job(4, *train(tiny_set, workdir)) as processes:
        wait_for_step(processes, workdir, 8)
        processes[0].kill()
        found = ended(processes, timeout=hosts.HEARTBEAT + 30)
    assert all(status in (hosts.Lost.status, -signal.SIGABRT) for status, *_ in found[1:]), found
    # The newest checkpoint is damaged: all set it aside and go on from the one before.
    newest = workdir / "checkpoints" / str(checkpoints.steps(workdir)[-1])
    shutil.copytree(newest, newest.with_name("23"))
    (newest.with_name("23") / "meta" / "metadata").write_text("{}")
    with job(4, *train(tiny_set, workdir)) as processes:
        done(processes)
    assert [p.name for p in (workdir / "damaged").iterdir()] == ["23"]
    assert sums(workdir) == sums(straight)
    assert rows(workdir / "metrics.jsonl") == rows(straight / "metrics.jsonl")


@pytest.mark.parametrize("text", ["here", "10.0.0.1,2,0", "10.0.0.1:1234,2,2", "10.0.0.1:1234,2", "a:1,2,0,4"])
def test_another_form_is_refused(text):
    with pytest.raises(BadInput, match="expected HOST:PORT,N,I"), hosts.joined(text):
        pass


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["train", "--config=procedural_small", "--distributed=here"], "expected HOST:PORT,N,I"),
        (["eval", "--workdir=runs/x", "--follow", "--distributed"], "leave out --distributed"),
    ],
)
def test_commands_refuse_what_they_cannot_join(argv, said, capsys):
    assert main.main(argv) == BadInput.status
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)
    assert said in shown.err


def test_no_cluster_is_said():
    command = [sys.executable, "-m", "fergen.main", "train", "--config=procedural_small", "--distributed"]
    given = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
    refused = subprocess.run(command, capture_output=True, text=True, env={**given, "PYTHONPATH": str(ROOT)})
    assert refused.returncode == BadInput.status
    assert refused.stderr.startswith("fergen: --distributed: found no cluster")
    assert refused.stderr.count("\n") == 1


def test_alone_nothing_is_agreed_on():
    with hosts.joined(None):
        assert hosts.any_of(True) is True
        assert hosts.any_of(False) is False
        hosts.require_equal(3, "the step")
