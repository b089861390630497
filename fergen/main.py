"""The one console command: `fergen VERB ...`; a verb is a file in fergen/commands."""

import argparse
import ast
import importlib
import importlib.util
import os
import pkgutil
import sys
from pathlib import Path
from typing import Any, NoReturn

import fergen
from fergen import commands
from fergen.core import environment, parent
from fergen.core.errors import BadInput, FergenError, ending


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, as all of fergen's are."""

    def error(self, message: str) -> NoReturn:
        """Print the line and leave with the status of bad input."""
        self.exit(BadInput.status, f"{self.prog}: {message}; see {self.prog} --help\n")


def verbs() -> list[str]:
    """Return the verbs there are: the modules of fergen.commands."""
    return sorted(m.name for m in pkgutil.iter_modules(commands.__path__))


def help_of(verb: str) -> str:
    """Return a verb's one-line help, from its file's text: what the verbs import need not all be installed."""
    spec = importlib.util.find_spec(f"fergen.commands.{verb}")
    assert spec is not None
    for node in ast.parse(Path(str(spec.origin)).read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "HELP":
            return ast.literal_eval(node.value)
    raise AttributeError(f"fergen.commands.{verb} has no HELP")


def parser_of(verb: str) -> tuple[argparse.ArgumentParser, Any]:
    """Return a verb's parser and its module."""
    module = importlib.import_module(f"fergen.commands.{verb}")
    parser = Parser(
        prog=f"fergen {verb}",
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.configure(parser)
    return parser, module


def main(argv: list[str] | None = None) -> int:
    """Run one verb; print a FergenError as one line and return its exit status."""
    argv = sys.argv[1:] if argv is None else argv
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(f"fergen {fergen.__version__}: {(fergen.__doc__ or '').partition(': ')[2]}\n\nusage: fergen VERB ...\n")
        for verb in verbs():
            print(f"  {verb:<10} {help_of(verb)}")
        print("\nEach verb teaches itself: fergen VERB --help")
        return 0
    if argv[0] == "--version":
        print(f"fergen {fergen.__version__}")
        return 0
    if argv[0] not in verbs():
        print(f"fergen: no verb '{argv[0]}'; there are: {', '.join(verbs())}", file=sys.stderr)
        return 2
    # Before a verb imports jax.
    os.environ.update(environment.added(environment.platform_of()))
    try:
        return run(argv)
    except (FergenError, OSError, KeyboardInterrupt) as error:
        end = ending(error)
        assert end
        print(end[0], file=sys.stderr)
        return end[1]
    except ModuleNotFoundError as error:
        if not error.name or error.name.partition(".")[0] == "fergen":
            raise
        need = f"fergen {argv[0]} needs the package {error.name.partition('.')[0]}, which is not installed"
        print(f"fergen: {need}; run: pip install fergen", file=sys.stderr)
        return BadInput.status


def run(argv: list[str]) -> int:
    """Parse the arguments of a verb and run it; returns the exit status."""
    parser, module = parser_of(argv[0])
    args, rest = parser.parse_known_args(argv[1:])
    unknown = [text for text in rest if not text.startswith("--config.") or not hasattr(args, "overrides")]
    if unknown:
        apart = [text for text in rest if text.startswith("--config.") and "=" not in text]
        hint = f"; write {apart[0]}=VALUE" if apart else ""
        parser.error(f"unrecognised arguments: {' '.join(unknown)}{hint}")
    args.overrides = [text.removeprefix("--config.") for text in rest]
    return module.run(args) or 0


if __name__ == "__main__":
    parent.follow()
    sys.exit(main())
