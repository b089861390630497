"""Run a study: many trainings, what is measured of them, and a report.

  fergen study --config=quickstart                      a judge, a guide and a generator on drawn faces, in minutes
  fergen study --config=transfer --workdir=runs/transfer
  fergen study --config=transfer --config.executor=local:parallel=2
  fergen study --config=transfer --config.executor=slurm:partition=gpu,minutes=60
  fergen study --config=ablation "--config.fields=optim.lr=0.002|0.004,ema=0.9|0.99"

Every run is a process of its own, started by the executor. The workdir receives a folder per run, report.html (one
file, pictures inside), report.md, report.json and runs.csv. Kill the command whenever you like: repeated, it goes on
where it was, without the runs that are finished. A run that fails stands in the report, with its log, and stops no
other.
"""

import argparse

from fergen.core.errors import BadInput
from fergen.core.flags import add_config, config_of

HELP = "run a study made of several trainings, and write its report"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    add_config(parser)
    parser.add_argument("--workdir", help="the study's folder (default: runs/<name of the config>)")
    parser.add_argument("--quiet", action="store_true", help="print no progress")


def run(args: argparse.Namespace) -> None:
    """Run, then print the main table."""
    config = config_of(args)
    if "study" not in config:
        raise BadInput(f"--config={config.name}: expected a study, found a single experiment: use fergen train")
    from fergen.studies import runs

    outcome = runs.run(config, args.workdir or f"runs/{config.name}", quiet=args.quiet)
    print(f"\n{outcome.text}\n\nreport: {outcome.report}")
