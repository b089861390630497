"""Streamed and resident input give the same batches, so they train to the same losses."""

import numpy as np

from fergen.core.record import rows
from fergen.data.prepare import prepare
from fergen.train.loop import run


def test_streamed_run_equals_resident_run(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("FERGEN_DATA", str(tmp_path))
    prepare("procedural", name="faces", size=32, count=120, quiet=True)
    losses = {}
    for stream in (False, True):
        workdir = tmp_path / f"run_{stream}"
        run(tiny("data.name=faces", f"data.stream={stream}", "epochs=2.0"), workdir, quiet=True)
        losses[stream] = [r["train/loss"] for r in rows(workdir / "metrics.jsonl") if "train/loss" in r]
    assert len(losses[True]) == 6
    np.testing.assert_array_equal(losses[True], losses[False])


def test_streamed_run_resumes_to_the_same_bits(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("FERGEN_DATA", str(tmp_path))
    prepare("procedural", name="faces", size=32, count=120, quiet=True)
    import shutil

    from fergen.train.restore import restore

    config = tiny("data.name=faces", "data.stream=True", "epochs=2.0")
    run(config, tmp_path / "straight", quiet=True)
    shutil.copytree(tmp_path / "straight", tmp_path / "cut")
    shutil.rmtree(tmp_path / "cut" / "checkpoints" / "12")
    run(config, tmp_path / "cut", quiet=True)
    assert restore(tmp_path / "cut").hash == restore(tmp_path / "straight").hash
