"""An executor that trains nothing: it notes what it was asked for, and leaves scores that a test chooses."""

import json
from collections.abc import Callable
from pathlib import Path

from fergen.studies.jobs import Job


class Fake:
    """Runs jobs by writing what `fergen eval` would.

    Args:
        scores: job -> the flat scores that its evaluations leave.
        file: their name.
        failing: names of jobs that end with status 3.
    """

    def __init__(self, scores: Callable[[Job], dict], file: str = "test.json", failing: tuple[str, ...] = ()):
        self.scores, self.file, self.failing = scores, file, failing
        self.ran: list[str] = []

    def __call__(self, jobs):
        for job in jobs:
            self.ran.append(job.name)
            job.folder.mkdir(parents=True, exist_ok=True)
            (job.folder / "log.txt").write_text("\n".join(" ".join(command) for command in job.commands))
            if job.name in self.failing:
                yield job, 3
                continue
            for command in job.commands:
                out = next((text.removeprefix("--out=") for text in command if text.startswith("--out=")), None)
                if command[0] == "eval" and out:
                    Path(out).mkdir(parents=True, exist_ok=True)
                    (Path(out) / self.file).write_text(json.dumps(self.scores(job)))
            yield job, 0
