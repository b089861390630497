"""A process that another one started and waits for: it ends soon after that one, however that one ended."""

import os
import signal
import threading
import time

VARIABLE = "FERGEN_PARENT"
POLL_SECONDS = 1.0
PATIENCE_SECONDS = 120.0
"""For how long a process with a parent waits for a folder: what an earlier parent left behind is about to save."""


def named() -> dict[str, str]:
    """Return the variable by which this process tells those that it starts who it is."""
    return {VARIABLE: str(os.getpid())}


def patience() -> float:
    """Return the seconds for which this process may wait for a folder that another is at work in."""
    return PATIENCE_SECONDS if VARIABLE in os.environ else 0.0


def follow() -> None:
    """Have SIGTERM come to this process when the one that started it is gone; no such one, nothing is done."""
    parent = int(os.environ.get(VARIABLE, 0))
    if parent and os.getppid() == parent:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
