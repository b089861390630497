"""A job's commands, each in a process of its own, on this machine: what all executors end in."""

import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping

from fergen.core.errors import Preempted
from fergen.studies.jobs import Job

# How soon a request to stop reaches a process.
POLL_SECONDS = 0.1


class Stop:
    """A request to stop; the second is one to stop at once, without saving."""

    def __init__(self):
        self.asked, self.now = threading.Event(), threading.Event()

    def ask(self, *_) -> None:
        """Ask; serves as a handler of signals."""
        (self.now if self.asked.is_set() else self.asked).set()

    def handle(self, *numbers: int) -> Callable[[], None]:
        """Take these signals as requests; return what gives them back. Outside the main thread nothing is done."""
        if threading.current_thread() is not threading.main_thread():
            return lambda: None
        before = {number: signal.signal(number, self.ask) for number in numbers}

        def restore() -> None:
            for number, handler in before.items():
                signal.signal(number, handler)

        return restore


def run(job: Job, stop: Stop, added: Mapping[str, str]) -> int:
    """Run a job's commands in order until one fails.

    Args:
        job: its commands print to `log.txt` in its folder, after what is there.
        stop: when asked, the command gets SIGTERM, saves, and the job ends.
        added: variables beside this process's own environment.

    Returns:
        The first status that is not 0, as shells count it (128 + the signal that ended a command), else 0; that of
        `Preempted` if it was stopped between two commands.
    """
    job.folder.mkdir(parents=True, exist_ok=True)
    with (job.folder / "log.txt").open("ab", buffering=0) as log:
        for command in job.commands:
            if stop.asked.is_set():
                return Preempted.status
            log.write(f"$ fergen {shlex.join(command)}\n".encode())
            process = subprocess.Popen(
                [sys.executable, "-m", "fergen.main", *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **added},
                # Ctrl-C in a terminal reaches this process alone, which passes it on once.
                start_new_session=True,
            )
            status = wait(process, stop)
            if status:
                return status
    return 0


def wait(process: subprocess.Popen, stop: Stop) -> int:
    """Wait for a process, and pass requests to stop on to it."""
    told = killed = False
    while True:
        try:
            status = process.wait(POLL_SECONDS)
            return status if status >= 0 else 128 - status
        except subprocess.TimeoutExpired:
            if stop.asked.is_set() and not told:
                process.terminate()
                told = True
            if stop.now.is_set() and not killed:
                process.kill()
                killed = True
