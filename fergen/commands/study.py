"""Run a study: several trainings, what is measured of them, and a report.

  fergen study --config=quickstart
  fergen study --config=quickstart --config.generator=procedural_cvae --workdir=runs/loop_cvae

The workdir receives a run per member, scores.json, report.html (one file, pictures inside) and report.md. Kill the
command whenever you like: repeated, it goes on where it was.
"""

import argparse
import importlib

from fergen.core.errors import BadInput
from fergen.core.flags import add_config, config_of

HELP = "run a study made of several trainings, and write its report"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    add_config(parser)
    parser.add_argument("--workdir", help="the study's folder (default: runs/<name of the config>)")
    parser.add_argument("--quiet", action="store_true", help="print no progress")


def run(args: argparse.Namespace) -> None:
    """Run, then print the scores as a table."""
    config = config_of(args)
    if "study" not in config:
        raise BadInput(f"--config={config.name}: expected a study, found a single experiment: use fergen train")
    try:
        study = importlib.import_module(f"fergen.studies.{config.study}")
    except ModuleNotFoundError:
        raise BadInput(f"--config.study={config.study}: expected the name of a file in fergen/studies") from None
    from fergen.evals import generation_table

    workdir = args.workdir or f"runs/{config.name}"
    scores = study.run(config, workdir, quiet=args.quiet)
    print(f"\n{generation_table.text(scores, scores['classes'])}\n\nreport: {scores['report']}")
