"""Measure trained weights: a classifier on the splits of a prepared set, a generator by a judge and against real faces.

  fergen eval --workdir=runs/x                         the last checkpoint on validation, public and test
  fergen eval --workdir=runs/x --step=all --tta=ten_crop
  fergen eval --workdir=runs/x --follow                each new checkpoint, until the run ends
  fergen eval --weights runs/x runs/y --select --data=fer2013 --out=runs/ensemble

Writes <workdir>/eval/<step>/<split>.json (flat metric names) with the confusion matrix, reliability diagram and most
confident mistakes beside it as PNG, and <workdir>/eval/curves.png over all steps measured.

  fergen eval --workdir=runs/cgan --judge=fer2013_judge --guide=fer2013_small
  fergen eval --workdir=runs/cgan --judge=runs/judge --features lite0 fer2013_small --n=2560

A generator's faces go to a judge (another classifier than any that took part in its training) and into feature spaces:
control per expression beside the judge's recall on real faces, Frechet and kernel distances, precision, recall, density
and coverage beside the floor of real held-out faces. Writes <workdir>/eval/<step>/scores.json, samples.png,
confusion.png and neighbours.png; of an autoencoder also how well it gives held-out faces back, and relabelled.png.

  fergen eval --weights fer2013_small --robustness --out=robustness
  fergen eval --workdir=runs/x --robustness --detector mtcnn haar yunet:FILE.onnx

What a classifier makes of crops that are moved, too wide or narrow, turned or framed in black, and of faces that are
set into pictures, found by a detector, aligned and cut out. Writes robustness.json and robustness.png.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fergen.core.errors import BadInput
from fergen.core.flags import add_distributed, add_sampler, sampler_of
from fergen.train.measure import chosen_steps, draw_curves, evaluate, follow, generates

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
    parser.add_argument(
        "--robustness", action="store_true", help="measure a classifier on crops that are off, and after detection"
    )
    parser.add_argument(
        "--detector",
        nargs="*",
        metavar="NAME",
        help="of --robustness: mtcnn (default), haar, yunet:FILE.onnx; none of them leaves detection out",
    )
    add_distributed(parser)
    faces = parser.add_argument_group("generators")
    faces.add_argument(
        "--judge", metavar="REF", help="classifier that scores control (default for FER2013: the shipped)"
    )
    faces.add_argument("--guide", metavar="REF", help="classifier whose figure stands beside the judge's")
    faces.add_argument(
        "--features",
        nargs="*",
        metavar="SPACE",
        help="lite0 (default), lite0@128 (faster), inception, or classifiers by reference",
    )
    faces.add_argument("--n", type=int, default=2560, help="faces of all classes together (%(default)s)")
    faces.add_argument("--per-class", type=int, default=200, metavar="N", help="faces of each class (%(default)s)")
    faces.add_argument("--seed", type=int, default=0, help="of the latents (%(default)s)")
    add_sampler(faces)


def show(report: Any) -> None:
    """Print a report as a table; what a reader must know goes to standard error."""
    from fergen.evals import table

    for note in report.notes:
        print(f"note: {note}", file=sys.stderr)
    classes = next(iter(report.results.values())).split.spec.classes
    print(f"\n{', '.join(report.members)}, 95 % bootstrap intervals\n")
    print(table.text({name: result.scores for name, result in report.results.items()}, classes), flush=True)


def measure_faces(args: argparse.Namespace, references: Sequence[str], out: str | Path) -> None:
    """Measure a generator and print its tables."""
    from fergen.evals import generation_table
    from fergen.train.measure_generator import evaluate as evaluate_generator

    if len(references) > 1:
        raise BadInput(f"expected one generator, found {len(references)} --weights")
    report = evaluate_generator(
        references[0],
        judge=args.judge,
        guide=args.guide,
        features=("lite0",) if args.features is None else args.features,
        data=args.data,
        splits=args.split.split(",") if args.split else None,
        n=args.n,
        per_class=args.per_class,
        seed=args.seed,
        bootstrap=args.bootstrap,
        sampler=sampler_of(args),
        out=out,
        quiet=False,
    )
    for note in report.notes:
        print(f"note: {note}", file=sys.stderr)
    print(f"\n{references[0]}\n\n{generation_table.text(report.scores, report.classes)}\n\nfiles: {out}", flush=True)


def measure_robustness(args: argparse.Namespace, references: Sequence[str], out: str | Path) -> None:
    """Measure a classifier over crops that are off and print its tables."""
    from fergen.evals import robustness
    from fergen.train.measure_robustness import evaluate as evaluate_robustness

    if len(references) > 1:
        raise BadInput(f"--robustness: expected one classifier, found {len(references)} --weights")
    measured = evaluate_robustness(
        references[0],
        ("mtcnn",) if args.detector is None else args.detector,
        data=args.data,
        split=args.split,
        out=out,
        batch=args.batch,
        quiet=False,
    )
    print(f"\n{references[0]}, accuracy in percent, n = {measured.n:,}; a face not found is a mistake\n")
    print(f"{robustness.table(measured)}\n\nfiles: {out}", flush=True)


def run(args: argparse.Namespace) -> None:
    """Check the arguments, then measure, as one of several processes if asked to."""
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
    if args.detector is not None and not args.robustness:
        raise BadInput("--detector goes with --robustness")
    if args.robustness and (args.tta or args.select or args.vocabulary or args.follow or args.distributed):
        raise BadInput(
            "--robustness measures one classifier's single view, in one process: leave out --tta, --select,"
            " --vocabulary, --follow and --distributed"
        )
    if args.follow and args.distributed:
        raise BadInput("--follow looks at the disk in its own time: leave out --distributed")
    from fergen.core import hosts

    with hosts.joined(args.distributed):
        measured(args)


def measured(args: argparse.Namespace) -> None:
    """Measure and print."""

    def measure(references: Sequence[str], out: str | Path) -> None:
        if args.robustness:
            measure_robustness(args, references, out)
            return
        if generates(references[0]):
            measure_faces(args, references, out)
            return
        if args.judge or args.guide or args.features is not None:
            raise BadInput(f"--judge, --guide and --features are for generators; '{references[0]}' is a classifier")
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
        if not args.robustness:
            draw_curves(workdir, base)

    if args.follow:
        follow(workdir, measure_step)
        return
    for step in chosen_steps(workdir, args.step):
        measure_step(step)
