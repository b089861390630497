"""What an executor is given, and where executors are found.

An executor is a file in launch/, chosen by its name: `--executor=local:parallel=2`. It has `OPTIONS`, its options with
their defaults, and `run(jobs, **options)`, which yields (job, exit status) as the jobs end.
"""

import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import jax

from fergen.core.config import PACKAGE, parse
from fergen.core.errors import BadInput

# In a wheel the executors lie inside the package, in a checkout beside it.
SHIPPED = (PACKAGE / "launch", PACKAGE.parent / "launch")
# The verbs that several processes can run together, with --distributed; of a job's hosts, the first runs the others.
DISTRIBUTED = ("train", "eval", "sample")


class Job(NamedTuple):
    """One run of a study, for a process of its own.

    Attributes:
        name: unique in its study.
        commands: fergen's verbs with their arguments, in order; the first that fails ends the job.
        folder: of the job's files; what the commands print goes to its `log.txt`.
    """

    name: str
    commands: tuple[tuple[str, ...], ...]
    folder: Path


Executor = Callable[[Sequence[Job]], Iterator[tuple[Job, int]]]


def executors() -> dict[str, Path]:
    """Return the executors that ship: name -> file."""
    files = [path for folder in SHIPPED for path in sorted(folder.glob("*.py"))]
    return {path.stem: path for path in files if "OPTIONS" in path.read_text()}


def executor(text: str) -> Executor:
    """Return the executor that a text names.

    Args:
        text: NAME, or NAME:option=value,option=value; a path to a .py file serves as a name.

    Raises:
        BadInput: no such executor, or an option that it lacks or of the wrong type.
    """
    name, _, given = text.partition(":")
    path = Path(name) if name.endswith(".py") else executors().get(name)
    if path is None or not path.is_file():
        raise BadInput(f"--executor={name}: no such executor; there are: {', '.join(executors())}")
    module = module_of(path)
    options = dict(module.OPTIONS)
    for part in filter(None, given.split(",")):
        option, equals, value = part.partition("=")
        if not equals or option not in options:
            known = ", ".join(f"{key}={default}" for key, default in options.items()) or "none"
            raise BadInput(f"--executor={name}: expected options as {name}:name=value, of these: {known}; found {part}")
        options[option] = parse(value, options[option], f"--executor={name}:{option}")
    if name != "here":
        # Its jobs are other processes, which find the accelerators free; what this one computes itself takes the CPU.
        jax.config.update("jax_platforms", "cpu")
    return partial(module.run, **options)


def module_of(path: Path) -> ModuleType:
    """Import an executor's file as `launch.<stem>`; executors can import one another from their own folder."""
    if "launch" not in sys.modules:
        package = ModuleType("launch")
        package.__path__ = [str(folder) for folder in SHIPPED if folder.is_dir()]
        sys.modules["launch"] = package
    spec = importlib.util.spec_from_file_location(f"launch.{path.stem}", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
