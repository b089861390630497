"""Progress with a rate and the time left, on standard error."""

import contextlib
import sys
import threading
import time
from collections.abc import Generator


def duration(seconds: float) -> str:
    """Format seconds as people read them: 8 s, 3:05 min, 1:02:33 h."""
    seconds = round(seconds)
    hours, minutes, rest = seconds // 3600, seconds // 60 % 60, seconds % 60
    if hours:
        return f"{hours}:{minutes:02d}:{rest:02d} h"
    return f"{minutes}:{rest:02d} min" if minutes else f"{rest} s"


def figure(rate: float) -> str:
    """Format a rate: whole, below ten with one decimal."""
    return f"{rate:,.0f}" if rate >= 9.95 else f"{rate:.1f}"


class Progress:
    """One line that moves on a terminal, and a line now and then elsewhere.

    Args:
        total: units to do; None when unknown.
        unit: what is counted, for the rate.
        label: what is being done.
        quiet: print nothing.
    """

    def __init__(self, total: int | None, *, unit: str = "images", label: str = "", quiet: bool = False):
        self.total, self.unit, self.label, self.quiet = total, unit, label, quiet
        self.done = 0
        self.start = time.monotonic()
        self.terminal = sys.stderr.isatty()
        self.next_line = self.start + (0.2 if self.terminal else 5.0)

    def update(self, n: int = 1, note: str = "") -> None:
        """Count n more units as done; print if it is time to."""
        self.done += n
        now = time.monotonic()
        if now >= self.next_line:
            self._print(note, end="")
            self.next_line = now + (0.2 if self.terminal else 15.0)

    def rate(self) -> float:
        """Units per second since the start."""
        return self.done / max(time.monotonic() - self.start, 1e-9)

    def _print(self, note: str = "", end: str = "\n") -> None:
        if self.quiet:
            return
        rate = self.rate()
        of = f"/{self.total:,}" if self.total else ""
        left = f", {duration((self.total - self.done) / rate)} left" if self.total and rate > 0 else ""
        line = f"{self.label} {self.done:,}{of} {self.unit}, {figure(rate)} {self.unit}/s{left} {note}".strip()
        if self.terminal:
            print(f"\r\033[K{line}", end=end, file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Print the final line: the count, the rate and the time taken."""
        if self.quiet:
            return
        taken = duration(time.monotonic() - self.start)
        line = f"{self.label} {self.done:,} {self.unit} in {taken}, {figure(self.rate())} {self.unit}/s".strip()
        print(f"\r\033[K{line}" if self.terminal else line, file=sys.stderr, flush=True)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, failure, *_) -> None:
        if failure is None:
            self.close()
        elif self.terminal and not self.quiet:
            print(file=sys.stderr)


@contextlib.contextmanager
def waiting(label: str, *, every: float = 30.0, quiet: bool = False) -> Generator[None]:
    """Say on standard error what is waited for, now and then how long already, and at the end how long it took.

    Args:
        label: what is being done.
        every: seconds between lines.
        quiet: print nothing.
    """
    began, over = time.monotonic(), threading.Event()

    def say(end: str) -> None:
        if not quiet:
            print(f"{label}{end}", file=sys.stderr, flush=True)

    def tick() -> None:
        while not over.wait(every):
            say(f" ... {duration(time.monotonic() - began)}")

    say(" ...")
    ticking = threading.Thread(target=tick, daemon=True)
    ticking.start()
    try:
        yield
    finally:
        over.set()
        ticking.join()
        say(f": {duration(time.monotonic() - began)}")
