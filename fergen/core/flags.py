"""The flags that verbs share: --config and overrides of its fields, several processes, the options of a sampler."""

import argparse
import textwrap
from typing import Any

from fergen.core import config
from fergen.core.errors import BadInput


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


def add_distributed(parser: argparse.ArgumentParser) -> None:
    """Declare --distributed, for `fergen.core.hosts.joined`."""
    parser.add_argument(
        "--distributed",
        nargs="?",
        const="auto",
        metavar="HOST:PORT,N,I",
        help="as one of several processes that run this command together: process I of N, where process 0 listens at"
        " HOST:PORT; without a value SLURM, the TPU pod or Kubernetes says so",
    )


def add_sampler(parser: Any) -> None:
    """Declare the options of a generator's sampler, on a parser or a group of one."""
    parser.add_argument("--steps", type=int, metavar="N", help="of a sampler that integrates, or of --search (30)")
    parser.add_argument(
        "--guidance", type=float, metavar="W", help="classifier-free guidance, of these and autoencoders"
    )
    parser.add_argument(
        "--interval", type=float, nargs=2, metavar=("T", "T"), help="times in [0, 1] between which guidance acts"
    )
    parser.add_argument("--sampler", metavar="NAME", help="its method, for generators that integrate")
    parser.add_argument(
        "--truncation",
        type=float,
        metavar="PSI",
        help="of an autoencoder's noise or StyleGAN2's styles: below 1 faces are more alike",
    )
    parser.add_argument(
        "--search",
        metavar="REF*W",
        help="StyleGAN2: move every face by guided search until this classifier sees its label, with this weight (1)",
    )


def sampler_of(args: argparse.Namespace) -> dict[str, Any]:
    """Return what the flags say of the sampler, for `fergen.train.faces.generator`; None is not given.

    Raises:
        BadInput: no steps.
    """
    if args.steps is not None and args.steps < 1:
        raise BadInput(f"--steps={args.steps}: expected at least 1")
    options = {name: getattr(args, name) for name in ("steps", "guidance", "interval", "truncation", "search")}
    return {**options, "name": args.sampler}
