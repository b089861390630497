"""Runs of a study: named, skipped when they are finished, handed to an executor, gathered into rows.

A study is a file in fergen/studies with `run(study) -> Outcome`, and `check(study)` where it has to refuse. It says
which runs there are; what is here runs and gathers them. A job that ended well leaves `job.json` in its folder and is
not run again for the same commands, so a study that was killed goes on where it was; one that failed is tried again,
and never stops the others.
"""

import importlib
import math
import re
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from fergen.core.clock import duration
from fergen.core.errors import BadInput, FergenError
from fergen.core.paths import read_json, write_json
from fergen.studies.jobs import Executor, Job, executor
from fergen.train.checkpoints import locked

DONE = "job.json"


class Printed(FergenError):
    """An executor only said what it would run: the study ends there, and well."""

    status = 0


class Outcome(NamedTuple):
    """What a study found: a table as text, flat scores, and its report."""

    text: str
    scores: dict[str, Any]
    report: Path


class Measured(NamedTuple):
    """One `fergen eval` of a run.

    Attributes:
        file: the scores that it writes: public.json of a classifier's split, scores.json of a generator.
        flags: of the command.
        prefix: of its scores' names in a row.
    """

    file: str
    flags: tuple[str, ...] = ()
    prefix: str = ""


class Member(NamedTuple):
    """A run that is compared: those of one arm differ in their seed alone.

    Attributes:
        arm: what it is compared as.
        seed: of the run.
        job: its commands.
        scores: prefix -> file of flat scores that the job leaves.
    """

    arm: str
    seed: int
    job: Job
    scores: dict[str, Path]

    @property
    def run(self) -> Path:
        """The trained run's folder."""
        return self.job.folder / "run"


@dataclass(frozen=True)
class Study:
    """What a study works with.

    Attributes:
        config: its own.
        workdir: its folder.
        executor: who runs its jobs.
        quiet: print no progress.
        failed: exit status of each job that failed, of all stages so far.
    """

    config: Any
    workdir: Path
    executor: Executor
    quiet: bool = False
    failed: dict[Job, int] = field(default_factory=dict)

    def member(
        self,
        arm: str,
        config: str,
        overrides: Iterable[str] = (),
        *,
        measured: Sequence[Measured],
        seed: int = 0,
        step: str = "last",
    ) -> Member:
        """Describe a run: trained, then measured.

        Args:
            arm: see `Member`; names the folder as well.
            config: the experiment's, NAME or NAME:ARG.
            overrides: of its fields, "optim.lr=0.1".
            measured: what is measured of the trained weights.
            seed: of the run.
            step: which checkpoint is measured: last, or best by validation.
        """
        folder = self.workdir / "runs" / slug(arm) / f"seed{seed}"
        run = folder / "run"
        commands = [training(config, run, (*overrides, f"seed={seed}"))]
        weights = str(run) if step == "last" else f"{run}@{step}"
        outs = {each.prefix: folder / "scores" / (each.prefix.strip("/") or "own") for each in measured}
        commands += [("eval", "--weights", weights, f"--out={outs[each.prefix]}", *each.flags) for each in measured]
        files = {each.prefix: outs[each.prefix] / each.file for each in measured}
        return Member(arm, seed, Job(f"{slug(arm)}/seed{seed}", tuple(commands), folder), files)

    def trainings(
        self, arms: Mapping[str, Iterable[str]], classifier: str, *, measured: Sequence[Measured] | None = None
    ) -> list[Member]:
        """Describe classifiers that differ in what they are trained on or how: each arm with every seed.

        Args:
            arms: name -> fields of the classifier's config, beside those that the study gives to all.
            classifier: its config.
            measured: None for the study's own split.
        """
        config = self.config
        own = [Measured(f"{config.split}.json", (f"--split={config.split}",))]
        return [
            self.member(
                arm, classifier, (*self.fields, *fields), measured=own if measured is None else measured, seed=seed
            )
            for arm, fields in arms.items()
            for seed in range(config.seeds)
        ]

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that the study gives to all classifiers: their data, and their steps unless these are 0."""
        config = self.config
        steps = (f"steps={config.steps}",) if config.steps else ()
        return (f"data.name={config.data}", *steps, *config.overrides.classifiers)

    def execute(self, jobs: Iterable[Job], what: str) -> dict[str, int]:
        """Run the jobs that are not finished.

        Args:
            jobs: of one stage; they do not need one another.
            what: the stage, for the progress.

        Returns:
            name -> exit status, 0 for what was finished before.
        """
        jobs = list(jobs)
        twice = [job.name for i, job in enumerate(jobs) if job.name in [other.name for other in jobs[:i]]]
        if twice:
            raise BadInput(f"{what}: expected different names of runs, found '{twice[0]}' twice")
        todo = [job for job in jobs if not finished(job)]
        status = {job.name: 0 for job in jobs}
        self.say(f"{what}: {len(jobs)} runs, {len(jobs) - len(todo)} of them finished before")
        began, todo_left = time.monotonic(), {job.name for job in todo}
        for number, (job, code) in enumerate(self.executor(todo), 1):
            status[job.name] = code
            if code:
                self.failed[job] = code
            write_json(job.folder / DONE, {"commands": job.commands, "status": code})
            spent = time.monotonic() - began
            left = f", {duration(spent / number * (len(todo) - number))} left" if number < len(todo) else ""
            said = "done" if code == 0 else f"FAILED with exit status {code}, see {job.folder / 'log.txt'}"
            self.say(f"{what} {number}/{len(todo)}: {job.name} {said}, {duration(spent)}{left}")
            todo_left.discard(job.name)
        if todo_left:
            raise Printed(f"{what}: {len(todo_left)} runs were said, not run, and what follows needs what they leave")
        return status

    def say(self, line: str) -> None:
        """Print a line of progress unless the study is quiet."""
        if not self.quiet:
            print(line, file=sys.stderr, flush=True)

    def compare(self, members: Sequence[Member], what: str = "train and measure") -> list[dict[str, Any]]:
        """Run members and gather them: a row each, in their order.

        Returns:
            Rows with `arm`, `seed`, `status`, `run` (the run's folder) and, of those that ended well, their flat
            scores, NaN for what is undefined.
        """
        status = self.execute([member.job for member in members], what)
        return [gathered(member, status[member.job.name]) for member in members]


def run(config: Any, workdir: str | Path, *, execute: Executor | None = None, quiet: bool = False) -> Outcome:
    """Run a study to its report, going on where it was.

    Args:
        config: a ConfigDict of a study, from `fergen.core.config.load`.
        workdir: the study's folder: a folder per run, report.html, report.md, report.json and runs.csv.
        execute: who runs the jobs; None takes the executor that the config names.
        quiet: print no progress.

    Raises:
        BadInput: a field is wrong, or no run ended well.
        Preempted: a signal stopped it; what was done is kept.
        Printed: the executor only printed what it would run.
    """
    try:
        module = importlib.import_module(f"fergen.studies.{config.study}")
    except ModuleNotFoundError:
        raise BadInput(f"--config.study={config.study}: expected the name of a file in fergen/studies") from None
    # Jobs name their folders, and may run elsewhere.
    workdir = Path(workdir).absolute()
    study = Study(config, workdir, execute or executor(config.executor), quiet)
    # What is refused leaves no folder behind.
    getattr(module, "check", lambda study: None)(study)
    with locked(workdir):
        return module.run(study)


def training(config: str, run: Path, overrides: Iterable[str]) -> tuple[str, ...]:
    """Return the command that trains an experiment.

    Args:
        config: NAME or NAME:ARG.
        run: its folder.
        overrides: of its fields, "optim.lr=0.1".
    """
    fields = (f"--config.{text}" for text in overrides)
    return ("train", f"--config={config}", f"--workdir={run}", "--quiet", *fields)


def finished(job: Job) -> bool:
    """Whether a job has ended well, with the same commands."""
    if not (job.folder / DONE).is_file():
        return False
    done = read_json(job.folder / DONE)
    return done["status"] == 0 and [tuple(command) for command in done["commands"]] == list(job.commands)


def gathered(member: Member, status: int) -> dict[str, Any]:
    """Return a member's row; see `Study.compare`."""
    row: dict[str, Any] = {"arm": member.arm, "seed": member.seed, "status": status, "run": member.run}
    if status == 0:
        for prefix, file in member.scores.items():
            row |= {prefix + name: undefined(value) for name, value in read_json(file).items()}
    return row


def undefined(value: Any) -> Any:
    """Return NaN for null: a figure that is undefined."""
    return math.nan if value is None else value


def slug(text: str) -> str:
    """Return a name as a folder's: letters, digits, points, commas, = and - alone."""
    return re.sub(r"[^A-Za-z0-9.,=+-]+", "_", text.replace("×", "x")).strip("_")
