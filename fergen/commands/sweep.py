"""Train and measure every variation that a config's sweep() names, and gather them into one table.

  fergen sweep --config=procedural_small --workdir=runs/sweep
  fergen sweep --config=procedural_small --seeds=3 --executor=local:parallel=2
  fergen sweep --config=mine.py --judge=fer2013_judge --executor=slurm:partition=gpu,minutes=60,gpus=1

A config's sweep() stands beside its get_config() and yields (name, {field: value}); --config.FIELD=VALUE holds for all
variations. The workdir receives a folder per run and seed, runs.csv (every figure of every run), report.md, report.html
and report.json with mean, standard deviation and number of runs. Repeated, the command goes on where it was.
"""

import argparse

from fergen.core.flags import add_config, config_of

HELP = "train and measure the variations that a config names, in one table"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    add_config(parser)
    parser.add_argument("--workdir", help="the sweep's folder (default: runs/<name of the config>_sweep)")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="runs of each variation (%(default)s)")
    parser.add_argument(
        "--executor",
        default="local",
        metavar="NAME[:OPTION=V,...]",
        help="who runs them: a file in launch/, such as local:parallel=2 (%(default)s)",
    )
    parser.add_argument("--split", metavar="NAME", help="measured on (default: validation; a choice must not see test)")
    parser.add_argument("--judge", metavar="REF", help="of generators, see fergen eval")
    parser.add_argument("--measures", metavar="A,B", help="figures in the table (default: the usual ones of the task)")
    parser.add_argument("--quiet", action="store_true", help="print no progress")


def run(args: argparse.Namespace) -> None:
    """Run, then print the table."""
    config = config_of(args)
    from fergen.studies import sweep

    outcome = sweep.run(
        args.config,
        args.workdir or f"runs/{config.name}_sweep",
        overrides=args.overrides,
        seeds=args.seeds,
        executor=args.executor,
        split=args.split,
        judge=args.judge,
        measures=args.measures.split(",") if args.measures else None,
        quiet=args.quiet,
    )
    print(f"\n{outcome.text}\n\nreport: {outcome.report}")
