"""Writes are whole or absent."""

import os
import socket
import subprocess
import sys

import numpy as np
import pytest

from fergen.core import paths
from fergen.core.errors import BadInput


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_atomic_dir_appears_whole_and_replaces(tmp_path):
    target = tmp_path / "set"
    for text in ("one", "two"):
        with paths.atomic_dir(target) as fresh:
            (fresh / "a.txt").write_text(text)
            assert not target.exists() or (target / "a.txt").read_text() == "one"
        assert (target / "a.txt").read_text() == text
    assert names(tmp_path) == ["set"]


def test_atomic_dir_vanishes_on_failure_and_keeps_the_old_one(tmp_path):
    target = tmp_path / "set"
    with paths.atomic_dir(target) as fresh:
        (fresh / "a.txt").write_text("whole")

    def stopped():
        with paths.atomic_dir(target) as fresh:
            (fresh / "a.txt").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert (target / "a.txt").read_text() == "whole"
    assert names(tmp_path) == ["set"]


def killed_process() -> int:
    """The number of a process that no longer lives."""
    done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    return int(done.stdout)


def test_what_a_killed_process_left_is_swept_and_a_living_one_spared(tmp_path):
    target, dead = tmp_path / "set", killed_process()
    mine = paths.temporary(target)
    (tmp_path / f"{mine}{dead}.abc").mkdir()
    (tmp_path / f"{mine}{os.getpid()}.def").mkdir()
    with paths.atomic_dir(target):
        pass
    assert names(tmp_path) == [f"{mine}{os.getpid()}.def", "set"]


def test_what_another_host_prepares_on_a_shared_disk_is_spared(tmp_path, monkeypatch):
    target = tmp_path / "set"
    monkeypatch.setattr(socket, "gethostname", lambda: "node-1.cluster")
    with paths.atomic_dir(target) as theirs:
        (theirs / "a.txt").write_text("theirs")
        with monkeypatch.context() as here:
            # Its process number means nothing here: no such process lives on this host.
            here.setattr(socket, "gethostname", lambda: "node-2.cluster")
            here.setattr(paths, "alive", lambda pid: False)
            paths.sweep(target)
        assert (theirs / "a.txt").read_text() == "theirs"
    assert names(tmp_path) == ["set"]


def test_a_kill_between_the_two_renames_loses_nothing(tmp_path):
    target, dead = tmp_path / "set", killed_process()
    retired = tmp_path / f"{paths.temporary(target)}{dead}.abc.old"
    retired.mkdir()
    (retired / "a.txt").write_text("former")
    paths.sweep(target)
    assert (target / "a.txt").read_text() == "former"
    assert names(tmp_path) == ["set"]


def test_atomic_write_keeps_the_old_file_on_failure(tmp_path, monkeypatch):
    file = tmp_path / "a.json"
    paths.write_json(file, {"n": np.int32(3), "x": np.arange(2), "p": tmp_path, "s": {"b", "a"}})
    assert paths.read_json(file) == {"n": 3, "x": [0, 1], "p": str(tmp_path), "s": ["a", "b"]}
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        paths.write_json(file, {"n": 4})
    assert paths.read_json(file)["n"] == 3
    assert names(tmp_path) == ["a.json"]


def test_read_json_says_what_is_wrong(tmp_path):
    with pytest.raises(BadInput, match="no such file"):
        paths.read_json(tmp_path / "none.json")
    (tmp_path / "bad.json").write_bytes(b"\xff{")
    with pytest.raises(BadInput, match="expected JSON"):
        paths.read_json(tmp_path / "bad.json")


def test_array_hash_sees_values_shape_and_type_but_not_layout():
    a = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert paths.array_hash(a) == paths.array_hash(np.asfortranarray(a))
    others = [a.reshape(4, 3), a.astype(np.int8), a + 1]
    assert len({paths.array_hash(x) for x in [a, *others]}) == 4
    assert paths.array_hash(a, a) != paths.array_hash(a)


def test_data_root_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("FERGEN_DATA", str(tmp_path))
    assert paths.data_root() == tmp_path
    monkeypatch.delenv("FERGEN_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert paths.data_root() == tmp_path / "cache" / "fergen" / "data"
