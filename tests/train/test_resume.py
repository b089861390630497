"""A run that was killed, stopped, or robbed of its newest checkpoint ends with the bits of one that never was."""

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fergen.core import config as configs
from fergen.core import mesh
from fergen.core.errors import BadInput, NonFinite
from fergen.core.record import rows
from fergen.core.tree import leaf_names
from fergen.data import dataset
from fergen.train import checkpoints, loop, setup
from fergen.train.loop import run
from fergen.train.restore import restore
from tests.train.conftest import TINY


@pytest.fixture(scope="module")
def straight(tiny_set, tmp_path_factory):
    """The workdir of an uninterrupted run."""
    workdir = tmp_path_factory.mktemp("runs") / "straight"
    run(configs.load(f"{TINY}:{tiny_set}"), workdir, quiet=True)
    return workdir


def state_of(workdir, step):
    """All leaves of a checkpoint's state, by name, as the file holds them."""
    folder = (workdir / "checkpoints" / str(step)).resolve()
    return checkpoints.read_item(folder, "state", None, None), checkpoints.read_meta(folder)


def assert_same_end(workdir, other):
    last = checkpoints.steps(workdir)[-1]
    assert last == checkpoints.steps(other)[-1] == 72
    (ours, meta), (theirs, other_meta) = state_of(workdir, last), state_of(other, last)
    ours, theirs = leaf_names(ours), leaf_names(theirs)
    assert ours.keys() == theirs.keys()
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)
    assert meta["weight_sums"] == other_meta["weight_sums"]
    assert rows(workdir / "metrics.jsonl") == rows(other / "metrics.jsonl")


def start(tiny_set, workdir):
    """Start the run as a process of its own, as a user would, on the same virtual devices."""
    command = [sys.executable, "-m", "fergen.main", "train", f"--config={TINY}:{tiny_set}", f"--workdir={workdir}"]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ.copy())


def wait_for_step(process, workdir, step, timeout=300):
    end = time.monotonic() + timeout
    while time.monotonic() < end and process.poll() is None:
        recorded = rows(workdir / "metrics.jsonl")
        if recorded and recorded[-1]["step"] >= step:
            return
        time.sleep(0.005)
    raise AssertionError(f"the run ended or hung before step {step}: {process.stderr.read()}")


def test_kill_9_at_a_random_step(tiny, tiny_set, straight, tmp_path):
    process = start(tiny_set, tmp_path)
    wait_for_step(process, tmp_path, random.randrange(8, 40))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert checkpoints.steps(tmp_path)[-1:] != [72], "killed too late to prove anything"
    run(tiny(), tmp_path, quiet=True)
    assert_same_end(tmp_path, straight)


def test_sigterm_saves_and_resumes(tiny, tiny_set, straight, tmp_path):
    process = start(tiny_set, tmp_path)
    wait_for_step(process, tmp_path, 8)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 75, said
    assert "saved" in said.splitlines()[-1]
    stopped = checkpoints.steps(tmp_path)[-1]
    assert 8 <= stopped < 72
    run(tiny(), tmp_path, quiet=True)
    assert_same_end(tmp_path, straight)


@pytest.mark.parametrize("damage", ["flip", "truncate", "meta", "no_meta", "no_state"])
def test_damaged_newest_checkpoint_is_passed_over(tiny, straight, tmp_path, capsys, damage):
    workdir = tmp_path / "run"
    run(tiny("keep=12"), workdir, quiet=True)
    newest = workdir / "checkpoints" / "72"
    data = max((newest / "state").glob("ocdbt.process_0/d/*"), key=lambda p: p.stat().st_size)
    if damage == "flip":
        raw = bytearray(data.read_bytes())
        # A bit here and there: one alone may fall on bytes that no leaf uses.
        for i in range(len(raw) // 4, 3 * len(raw) // 4, 97):
            raw[i] ^= 4
        data.write_bytes(raw)
    elif damage == "truncate":
        data.write_bytes(data.read_bytes()[: data.stat().st_size // 2])
    elif damage == "meta":
        file = newest / "meta" / "metadata"
        file.write_text(file.read_text().replace('"step": 72', '"step": 71'))
    elif damage == "no_meta":
        (newest / "meta" / "metadata").unlink()
    else:
        for file in sorted((newest / "state").rglob("*"), reverse=True):
            file.unlink() if file.is_file() else file.rmdir()
    capsys.readouterr()
    run(tiny("keep=12"), workdir, quiet=True)
    said = capsys.readouterr().err
    assert "checkpoint 72 is damaged" in said
    assert_same_end(workdir, straight)


def test_all_damaged_is_an_error(tiny, tmp_path):
    run(tiny("epochs=1.0"), tmp_path, quiet=True)
    for file in (tmp_path / "checkpoints").glob("*/meta/metadata"):
        file.write_text("{}")
    with pytest.raises(BadInput, match="checkpoints are damaged"):
        run(tiny("epochs=1.0"), tmp_path, quiet=True)


def test_full_disk_stops_clearly_and_resumes(tiny, straight, tmp_path, monkeypatch):
    usage = checkpoints.shutil.disk_usage
    calls = []

    def filling(path):
        calls.append(path)
        found = usage(path)
        return found if len(calls) < 4 else found._replace(free=1000)

    monkeypatch.setattr(checkpoints.shutil, "disk_usage", filling)
    with pytest.raises(checkpoints.DiskFull, match="make room"):
        run(tiny(), tmp_path, quiet=True)
    assert checkpoints.steps(tmp_path)[-1] == 18
    monkeypatch.undo()
    run(tiny(), tmp_path, quiet=True)
    assert_same_end(tmp_path, straight)


def test_a_write_that_the_system_refuses_stops_clearly_and_resumes(tiny, tiny_set, straight, tmp_path):
    command = [sys.executable, "-m", "fergen.main", "train", f"--config={TINY}:{tiny_set}", f"--workdir={tmp_path}"]
    # A limit on the size of files stands for the disk: the kernel fails the write in the middle of a save.
    limited = subprocess.run(
        [*command, "--quiet"],
        capture_output=True,
        text=True,
        # The compilation cache writes larger files than the checkpoints.
        env={**os.environ, "JAX_ENABLE_COMPILATION_CACHE": "false"},
        # Arrays come in files whose number and sizes differ from run to run; the file of their names has 19 kB always.
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000)),
    )
    assert limited.returncode == 1
    # The writer's threads print what happened to them too, before or after the line for people.
    assert "the disk filled while step" in limited.stderr
    assert checkpoints.steps(tmp_path) == []
    run(tiny(), tmp_path, quiet=True)
    assert_same_end(tmp_path, straight)


def test_second_run_on_a_workdir_is_refused(tiny, tmp_path):
    with checkpoints.locked(tmp_path), pytest.raises(BadInput, match="another run"):
        run(tiny(), tmp_path, quiet=True)


def test_other_architecture_is_refused(tiny, tmp_path):
    run(tiny("epochs=1.0"), tmp_path, quiet=True)
    with pytest.raises(BadInput, match=r"leaf nets/classifier/.* expected float32.* found float32"):
        run(tiny("epochs=1.0", "model.filters=(4,16)"), tmp_path, quiet=True)
    with pytest.raises(BadInput, match="expected float32.* found none"):
        run(tiny("epochs=1.0", "model.filters=(4,8,8)"), tmp_path, quiet=True)


def test_non_finite_loss_stops_and_keeps_the_last_checkpoint(tiny, tmp_path, monkeypatch):
    def poisoned(config):
        this = setup.prepare(config)

        def take(step, state, *rest):
            state, metrics = this.take(step, state, *rest)
            if int(state.step) == 8:
                net = state.nets["classifier"]
                params = jax.tree.map(lambda x: x * jnp.nan, net.params)
                state = state.replace(nets={"classifier": net.replace(params=params)})
                metrics["loss"] *= jnp.nan
            return state, metrics

        return this._replace(take=take)

    monkeypatch.setattr(loop, "prepare", poisoned)
    with pytest.raises(NonFinite, match="step 8: .* arrays of classifier are not finite, nets/classifier/params/"):
        run(tiny(), tmp_path, quiet=True)
    assert checkpoints.steps(tmp_path) == [6]


def test_a_changed_config_is_refused_on_resumption(tiny, straight):
    for override, said in {
        "seed=5": "config.seed = 0, now it is 5",
        "optim.lr=0.5": "config.optim.lr = 0.005, now it is 0.5",
        "augment.erase=0.5": "config.augment.erase = None, now it is 0.5",
    }.items():
        with pytest.raises(BadInput, match=said):
            run(tiny(override), straight, quiet=True)
    assert run(tiny("keep=5", "log_every=4"), straight, quiet=True)["validation/accuracy"] > 0.6


def test_changed_data_are_refused_on_resumption(tiny_set, straight, tmp_path):
    other = shutil.copytree(tiny_set, tmp_path / "tiny")
    described = (other / "dataset.json").read_text()
    (other / "dataset.json").write_text(described.replace("5e" * 32, "7a" * 32))
    config = configs.load(f"{TINY}:{tiny_set}")
    this = setup.prepare(config)
    stored = checkpoints.read_meta((straight / "checkpoints" / "72").resolve())
    loop.require_same_run(stored, this)
    changed = this._replace(lineage=setup.prepare(configs.load(f"{TINY}:{other}")).lineage)
    with pytest.raises(BadInput, match="data set tiny has changed"):
        loop.require_same_run(stored, changed)


def test_finished_run_does_nothing(tiny, straight):
    before = {p: p.stat().st_mtime_ns for p in (straight / "checkpoints").rglob("*")}
    result = run(tiny(), straight, quiet=True)
    assert result["step"] == 72
    assert before == {p: p.stat().st_mtime_ns for p in (straight / "checkpoints").rglob("*")}


def test_one_and_eight_devices_agree(tiny, tmp_path, monkeypatch):
    assert jax.device_count() == 8
    run(tiny(), tmp_path / "eight", quiet=True)
    build = mesh.build
    monkeypatch.setattr(mesh, "build", lambda devices=None: build(jax.devices()[:1]))
    run(tiny(), tmp_path / "one", quiet=True)
    eight, one = (
        [r["train/loss"] for r in rows(tmp_path / d / "metrics.jsonl") if "train/loss" in r] for d in ("eight", "one")
    )
    assert len(one) == 36
    np.testing.assert_allclose(eight, one, rtol=2e-4)
    assert one[-1] < 0.8 * one[0]


def test_restored_weights_predict_as_scored(tiny, straight, tiny_set):
    found = restore(straight)
    split = dataset.load(tiny_set, "validation")
    logits = jax.jit(found.predict["logits"])(found.variables, split.images)
    accuracy = float((np.asarray(logits).argmax(-1) == split.labels).mean())
    scored = [r for r in rows(straight / "metrics.jsonl") if "validation/accuracy" in r][-1]
    assert accuracy == pytest.approx(scored["validation/accuracy"], abs=1e-6)
    assert accuracy > 0.6
    assert found.lineage["data"] == {"5e" * 32: "tiny"}
    assert found.hash in found.lineage["weights"]
    assert restore(f"{straight}@72").hash == found.hash
    with pytest.raises(BadInput, match="no such checkpoint"):
        restore(f"{straight}@7")
