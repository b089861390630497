"""The flags that verbs share: --config and overrides of its fields."""

import argparse
import textwrap

from fergen.core import config


def add_config(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Declare --config; overrides --config.FIELD=VALUE are gathered by main."""
    parser.add_argument(
        "--config",
        required=required,
        metavar="NAME|FILE[:ARG]",
        help="an experiment: a config's name or file, with ':smoke' for a run of seconds;"
        " override its fields with --config.FIELD=VALUE",
    )
    parser.set_defaults(overrides=[])
    parser.epilog = "configs:\n" + textwrap.fill(
        "  ".join(config.names()), 110, initial_indent="  ", subsequent_indent="  "
    )


def config_of(args: argparse.Namespace):
    """Return the ConfigDict that the flags describe.

    Raises:
        BadInput: no such config, unknown field, wrong type.
    """
    return config.load(args.config, args.overrides)
