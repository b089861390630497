"""A process that another one started ends soon after that one, and waits for a folder that is still in use."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from fergen.core import parent
from fergen.core.errors import BadInput
from fergen.train.checkpoints import locked

CHILD = """
import signal, sys, time
from pathlib import Path
from fergen.core import parent
def save(*_):
    Path("saved").write_text("yes")
    sys.exit(75)
signal.signal(signal.SIGTERM, save)
parent.follow()
Path("began").write_text("yes")
time.sleep(60)
"""
PARENT = """
import os, subprocess, sys, time
from fergen.core import parent
subprocess.Popen([sys.executable, "-c", sys.argv[1]], env={**os.environ, **parent.named()}, start_new_session=True)
time.sleep(60)
"""


def appears(path, seconds=30):
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, path
        time.sleep(0.05)


def test_a_child_is_told_when_its_parent_was_killed(tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, "-c", PARENT, CHILD], cwd=tmp_path, env=environment)
    appears(tmp_path / "began")
    assert not (tmp_path / "saved").exists()
    process.send_signal(signal.SIGKILL)
    process.wait()
    appears(tmp_path / "saved")


def test_without_a_parent_nothing_is_followed(monkeypatch):
    before = threading.active_count()
    monkeypatch.delenv(parent.VARIABLE, raising=False)
    parent.follow()
    monkeypatch.setenv(parent.VARIABLE, "1")
    parent.follow()
    assert threading.active_count() == before


def test_a_child_waits_for_a_folder_that_is_still_in_use(tmp_path, monkeypatch):
    with (tmp_path / ".lock").open("w") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        with pytest.raises(BadInput, match="another run is at work here"), locked(tmp_path):
            pass
        monkeypatch.setenv(parent.VARIABLE, str(os.getppid()))
        threading.Timer(0.5, lambda: fcntl.flock(f, fcntl.LOCK_UN)).start()
        with locked(tmp_path):
            pass
