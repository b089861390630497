"""The one console command: `fergen VERB ...`; a verb is a file in fergen/commands."""

import argparse
import importlib
import pkgutil
import sys
from typing import Any, NoReturn

import fergen
from fergen import commands
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
    """Return a verb's one-line help."""
    return importlib.import_module(f"fergen.commands.{verb}").HELP


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
    parser, module = parser_of(argv[0])
    args, rest = parser.parse_known_args(argv[1:])
    unknown = [text for text in rest if not text.startswith("--config.") or not hasattr(args, "overrides")]
    if unknown:
        apart = [text for text in rest if text.startswith("--config.") and "=" not in text]
        hint = f"; write {apart[0]}=VALUE" if apart else ""
        parser.error(f"unrecognised arguments: {' '.join(unknown)}{hint}")
    args.overrides = [text.removeprefix("--config.") for text in rest]
    try:
        return module.run(args) or 0
    except (FergenError, OSError, KeyboardInterrupt) as error:
        end = ending(error)
        assert end
        print(end[0], file=sys.stderr)
        return end[1]


if __name__ == "__main__":
    sys.exit(main())
