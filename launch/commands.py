"""Processes on this machine, in which all executors end: chains of commands, several at a time, and their stop."""

import os
import queue
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

from fergen.core import parent
from fergen.core.errors import BadInput, Preempted
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


def each(
    jobs: Sequence[Job], work: Callable[[Job, Stop, Any], int], places: Sequence[Any]
) -> Iterator[tuple[Job, int]]:
    """Do jobs side by side, as many as there are places, and yield (job, status) as they end.

    Args:
        jobs: begun in this order; the failure of one stops no other.
        work: (job, request to stop, its place) -> status.
        places: what jobs that run at the same time do not share.

    Raises:
        Preempted: SIGTERM or SIGINT came, or a job said that it was stopped; all were asked to save and did.
    """
    free: queue.SimpleQueue = queue.SimpleQueue()
    for place in places:
        free.put(place)
    stop = Stop()

    def one(job: Job) -> int | None:
        if stop.asked.is_set():
            return None
        place = free.get()
        try:
            status = work(job, stop, place)
            if status == Preempted.status:
                # Its node is going down, and with it all others here.
                stop.asked.set()
            return status
        finally:
            free.put(place)

    restore = stop.handle(signal.SIGTERM, signal.SIGINT)
    try:
        with ThreadPoolExecutor(len(places)) as pool:
            futures = {pool.submit(one, job): job for job in jobs}
            try:
                for future in as_completed(futures):
                    status = future.result()
                    if status == 0 or (status and not stop.asked.is_set()):
                        yield futures[future], status
                stopped = stop.asked.is_set()
            finally:
                # Also when the caller wants no more: nothing is left running behind its back.
                stop.asked.set()
    finally:
        restore()
    if stopped:
        raise Preempted("the runs were stopped, what they had is saved; repeat the command to go on")


def run(job: Job, stop: Stop, added: Mapping[str, str]) -> int:
    """Run a job's commands here.

    Args:
        job: see `chain`.
        stop: see `chain`.
        added: variables beside this process's own environment.
    """
    here = [sys.executable, "-m", "fergen.main"]
    return chain(job, [(f"fergen {shlex.join(command)}", [*here, *command]) for command in job.commands], stop, added)


def chain(
    job: Job,
    argvs: Iterable[tuple[str, Sequence[str]]],
    stop: Stop,
    added: Mapping[str, str] | None = None,
    *,
    ask: Sequence[str] | None = None,
) -> int:
    """Run commands in order until one fails.

    Args:
        job: what is printed goes to `log.txt` in its folder, after what is there.
        argvs: (how a command is shown in the log, the command).
        stop: when asked, the command gets SIGTERM, saves, and the chain ends.
        added: variables beside this process's own environment.
        ask: a command that asks it to save instead, where it runs elsewhere.

    Returns:
        The first status that is not 0, as shells count it (128 + the signal that ended a command), else 0; that of
        `Preempted` if it was stopped between two commands.
    """
    job.folder.mkdir(parents=True, exist_ok=True)
    with (job.folder / "log.txt").open("ab", buffering=0) as log:
        for shown, argv in argvs:
            if stop.asked.is_set():
                return Preempted.status
            log.write(f"$ {shown}\n".encode())
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Killed, this process can tell it nothing; it looks.
                env={**os.environ, **parent.named(), **(added or {})},
                # Ctrl-C in a terminal reaches this process alone, which passes it on once.
                start_new_session=True,
            )
            status = wait(process, stop, ask)
            if status:
                return status
    return 0


def wait(process: subprocess.Popen, stop: Stop, ask: Sequence[str] | None = None) -> int:
    """Wait for a process, and pass requests to stop on to it."""
    told = killed = False
    while True:
        try:
            status = process.wait(POLL_SECONDS)
            return status if status >= 0 else 128 - status
        except subprocess.TimeoutExpired:
            if stop.asked.is_set() and not told:
                if ask:
                    subprocess.run(ask, stdin=subprocess.DEVNULL, capture_output=True)
                else:
                    process.terminate()
                told = True
            if stop.now.is_set() and not killed:
                process.kill()
                killed = True


def require(tool: str, where: str) -> None:
    """Check that a tool is installed.

    Raises:
        BadInput: it is not; says where it is to be had.
    """
    if not shutil.which(tool):
        raise BadInput(f"found no {tool} on this machine: see {where}; or add dry_run=true to see what would be run")
