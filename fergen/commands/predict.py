"""Classify images: a probability per expression for each.

  fergen predict face.jpg --out=face.csv
  fergen predict photos/ more.png --weights=runs/x --out=faces.json --show=faces.png
  fergen predict party.jpg photos/ --detect --show=people.png      finds the faces in photographs first
  fergen predict photos/ --weights=model.onnx --out=faces.csv      a file of fergen export; without jax

A PATH is an image of a face, a folder of such images, or a CSV with a column `pixels` (48x48 gray values). A row per
input in the given order: source (file name, or row number of the CSV from 0), a column per class, prediction. It names
what a face shows, which is not what somebody feels.

With --detect a PATH is a photograph, or a folder of such: a row per face found, from left to right, with its box (x, y,
width, height in pixels). Photographs without a face are named on standard error.

A .onnx file needs numpy, onnxruntime and opencv-python-headless below 5 alone: these three, and fergen by --no-deps.
"""

import argparse
import csv
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from fergen.core.errors import BadInput
from fergen.core.paths import atomic_write

HELP = "classify images, folders of images or a CSV of pixels"
SHOWN = 24
NAMED = 5  # photographs without a face


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="image, folder of images, or CSV with a pixels column")
    parser.add_argument(
        "--weights",
        default="fer2013_distilled",
        metavar="REF",
        help="run, run@step, .safetensors, .onnx or shipped name (%(default)s)",
    )
    parser.add_argument(
        "--detect",
        nargs="?",
        const="",
        metavar="NAME",
        help="find the faces in photographs: mtcnn (without a NAME), haar, or yunet:FILE.onnx",
    )
    parser.add_argument("--out", metavar="FILE", help=".csv or .json; without it the CSV goes to standard output")
    parser.add_argument("--show", metavar="PNG", help=f"also draw the first {SHOWN} images with their probabilities")
    parser.add_argument("--batch", type=int, default=256, help="images per compiled call (%(default)s)")


def predict(paths: Sequence[str | Path], weights: str = "fer2013_distilled", **options):
    """Classify images with weights by reference.

    Args:
      paths: images, folders of images, CSV files with a column `pixels`.
      weights: reference, see `fergen.train.restore.restore`, or a classifier's .onnx file of `fergen export`.
      **options: of `fergen.evals.predict.predict`.

    Returns:
      A `fergen.evals.predict.Predictions`: `.sources`, `.classes`, `.probabilities` float32 [n, C], `.predicted`.

    Raises:
      BadInput: a path or the reference is wrong.
    """
    from fergen.evals import predict as evaluator

    paths = [paths] if isinstance(paths, str | Path) else paths
    if weights.endswith(".onnx"):
        from fergen.data import opencv
        from fergen.export import runtime

        return evaluator.predict(runtime.classifier(weights), paths, decoder=opencv, **options)
    from fergen.train.restore import restore

    return evaluator.predict(restore(weights), paths, **options)


def table(found) -> str:
    """Format predictions as CSV: source, the box if any, a probability per class to six digits, prediction."""
    from fergen.evals.predict import BOX

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["source", *(BOX if found.boxes else ()), *found.classes, "prediction"])
    for i, (source, row, predicted) in enumerate(zip(found.sources, found.probabilities, found.predicted)):
        box = [f"{value:.1f}" for value in found.boxes[i]] if found.boxes else []
        writer.writerow([source, *box, *(f"{p:.6f}" for p in row), predicted])
    return text.getvalue()


def run(args: argparse.Namespace) -> None:
    """Parse, predict, write."""
    if args.out and Path(args.out).suffix not in (".csv", ".json"):
        raise BadInput(f"--out={args.out}: expected a name that ends in .csv or .json")
    if args.show and Path(args.show).suffix != ".png":
        raise BadInput(f"--show={args.show}: expected a name that ends in .png")
    if args.batch < 1:
        raise BadInput(f"--batch={args.batch}: expected at least 1")
    find = None
    if args.detect is not None:
        from fergen.data import detect

        find = detect.within(detect.detector(args.detect or detect.DEFAULT))
    found = predict(
        args.paths,
        args.weights,
        find=find,
        batch=args.batch,
        thumbnails=SHOWN if args.show else 0,
        quiet=not args.out,
    )
    if found.missed:
        names = ", ".join(map(str, found.missed[:NAMED])) + (", ..." if len(found.missed) > NAMED else "")
        print(f"no face found in {len(found.missed):,} photographs: {names}", file=sys.stderr)
    if not args.out:
        sys.stdout.write(table(found))
    elif args.out.endswith(".json"):
        atomic_write(args.out, json.dumps(found.rows(), indent=1) + "\n")
    else:
        atomic_write(args.out, table(found))
    if args.show:
        from fergen.show import predictions

        shown = len(found.thumbnails)
        names = [f"row {source}" if isinstance(source, int) else source for source in found.sources[:shown]]
        predictions.draw(found.thumbnails, found.probabilities[:shown], found.classes, args.show, sources=names)
