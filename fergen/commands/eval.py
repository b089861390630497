"""Measure trained weights on the splits of a prepared set, with bootstrap intervals and pictures.

  fergen eval --workdir=runs/x                         the last checkpoint on validation, public and test
  fergen eval --workdir=runs/x --step=all --tta=ten_crop
  fergen eval --workdir=runs/x --follow                each new checkpoint, until the run ends
  fergen eval --weights runs/x runs/y --select --data=fer2013 --out=runs/ensemble

Writes <workdir>/eval/<step>/<split>.json (flat metric names) with the confusion matrix, reliability diagram and most
confident mistakes beside it as PNG, and <workdir>/eval/curves.png over all steps measured.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fergen.core.errors import BadInput
from fergen.train.measure import chosen_steps, draw_curves, evaluate, follow

HELP = "measure trained weights on any split"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--workdir", metavar="DIR", help="a run's folder")
    parser.add_argument(
        "--step", default="last", metavar="N", help="a checkpoint's step, last, best or all (%(default)s)"
    )
    parser.add_argument("--follow", action="store_true", help="measure checkpoints as they come, until the run ends")
    parser.add_argument("--weights", nargs="+", metavar="REF", help="weights instead of a run; several are averaged")
    parser.add_argument("--select", action="store_true", help="keep the members that help on validation")
    parser.add_argument("--split", metavar="A,B", help="splits (default: validation, public and test where they exist)")
    parser.add_argument("--data", metavar="NAME", help="a prepared set (default: the one trained on)")
    parser.add_argument("--vocabulary", metavar="V", help="map the set's labels: five, seven or eight")
    parser.add_argument(
        "--tta", choices=("flip", "five_crop", "ten_crop", "ten_shift"), help="also average these views of each image"
    )
    parser.add_argument("--bootstrap", type=int, default=1000, metavar="N", help="resamples per interval (%(default)s)")
    parser.add_argument("--batch", type=int, default=256, metavar="N", help="images per compiled call (%(default)s)")
    parser.add_argument("--out", metavar="DIR", help="where results go (default: <workdir>/eval/<step>)")


def show(report: Any) -> None:
    """Print a report as a table; what a reader must know goes to standard error."""
    from fergen.evals import table

    for note in report.notes:
        print(f"note: {note}", file=sys.stderr)
    classes = next(iter(report.results.values())).split.spec.classes
    print(f"\n{', '.join(report.members)}, 95 % bootstrap intervals\n")
    print(table.text({name: result.scores for name, result in report.results.items()}, classes), flush=True)


def run(args: argparse.Namespace) -> None:
    """Parse, measure, print."""
    if bool(args.workdir) == bool(args.weights):
        raise BadInput("expected either --workdir=DIR or --weights REF ..., one of them")
    if args.weights and not args.out:
        raise BadInput("--weights needs --out=DIR for its results")
    if args.weights and (args.follow or args.step != "last"):
        raise BadInput("--step and --follow go with --workdir; with --weights write REF@STEP")
    if args.select and len(args.weights or ()) < 2:
        raise BadInput("--select needs several --weights to choose from")
    if args.batch < 1 or args.bootstrap < 0:
        raise BadInput(
            f"expected --batch of at least 1 and --bootstrap of at least 0, found {args.batch}, {args.bootstrap}"
        )

    def measure(references: Sequence[str], out: str | Path) -> None:
        show(
            evaluate(
                references,
                args.split.split(",") if args.split else None,
                data=args.data,
                out=out,
                vocabulary=args.vocabulary,
                tta=args.tta,
                select=args.select,
                bootstrap=args.bootstrap,
                batch=args.batch,
                quiet=False,
            )
        )

    if args.weights:
        measure(args.weights, args.out)
        return
    workdir = Path(args.workdir)
    base = Path(args.out) if args.out else workdir / "eval"

    def measure_step(step: int) -> None:
        measure([f"{workdir}@{step}"], base / str(step))
        draw_curves(workdir, base)

    if args.follow:
        follow(workdir, measure_step)
        return
    for step in chosen_steps(workdir, args.step):
        measure_step(step)
