"""Measure the speed of an experiment on the devices at hand.

  fergen bench --config=fer2013_small
  fergen bench --config=procedural_small --config.batch_size=256 --json
  fergen bench --detector mtcnn haar --data=fer2013
  fergen bench --detector mtcnn yunet:FILE.onnx --photos=photos/

Prints images/s of the compiled step, of the input path alone and of both together as training runs them, the share of
time outside the compiled call, compile time, FLOP/s of convolutions and matrix products, prediction
rate and peak memory.

Of face detectors: faces found, boxes that are none, and milliseconds, on the photographs that ship with installed
packages or on a folder of yours, and with --data on faces of a prepared set, put into pictures at several sizes and
angles.
"""

import argparse
import json
import os

from fergen.core.errors import BadInput
from fergen.core.flags import add_config, config_of

HELP = "measure images/s, compile time, memory and FLOP/s of an experiment"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    add_config(parser, required=False)
    parser.add_argument(
        "--detector", nargs="+", metavar="NAME", help="mtcnn, haar, yunet:FILE.onnx, instead of --config"
    )
    parser.add_argument("--photos", metavar="DIR", help="photographs for detectors (default: what ships with packages)")
    parser.add_argument("--data", metavar="NAME", help="a prepared set of faces to put into pictures for detectors")
    parser.add_argument("--split", default="public", metavar="NAME", help="of --data (%(default)s)")
    parser.add_argument("--n", type=int, default=1000, help="faces of --data, spread over the split (%(default)s)")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of each measurement (default: 10)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(args: argparse.Namespace) -> None:
    """Measure and print."""
    if bool(args.config) == bool(args.detector):
        raise BadInput("expected either --config=NAME or --detector NAME ..., one of them")
    if args.detector:
        print(detectors(args))
        return
    if args.photos or args.data:
        raise BadInput("--photos and --data go with --detector")
    config = config_of(args)
    # Before jax is imported: compilation is measured, not read from what an earlier command left.
    os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"
    from fergen.train.bench import bench

    result = bench(config, seconds=args.seconds)
    if args.json:
        print(json.dumps(result, indent=2))
        return
    units = {
        "compile_seconds": ("compilation", "{:,.1f} s"),
        "step_images_per_second": ("step alone", "{:,.0f} images/s"),
        "input_images_per_second": ("input alone", "{:,.0f} images/s"),
        "train_images_per_second": ("training (both)", "{:,.0f} images/s"),
        "outside_step": ("time outside the step", "{:.2%}"),
        "flops_per_image": ("work per image", "{:,.3g} FLOP"),
        "flops_per_second": ("compute", "{:,.3g} FLOP/s"),
        "predict_images_per_second": ("prediction", "{:,.0f} images/s"),
        "samples_per_second": ("samples", "{:,.0f} images/s"),
        "augment_images_per_second": ("augmentation alone", "{:,.0f} images/s"),
        "peak_memory_bytes": ("peak memory", "{:,.0f} bytes"),
        "parameters": ("parameters", "{:,}"),
    }
    print(f"{config.name} on {result['device']}, batch {result['batch_size']}")
    for key, (label, form) in units.items():
        if not result[key]:
            continue  # a classifier samples nothing, a generator classifies nothing
        print(f"  {label:<22} {form.format(result[key])}")
    for kind, seconds in result["seconds_per_kimg"].items() if len(result["seconds_per_kimg"]) > 1 else ():
        print(f"  a step of {kind}: {seconds:,.1f} s per 1000 images")


def detectors(args: argparse.Namespace) -> str:
    """Measure face detectors.

    Returns:
        A table, or JSON where asked for.
    """
    import numpy as np

    from fergen.data import dataset
    from fergen.data.detect import detector
    from fergen.evals import detection

    if args.n < 1:
        raise BadInput(f"--n={args.n}: expected at least 1")
    find = {name: detector(name) for name in args.detector}
    faces = None
    if args.data:
        split = dataset.load_or_prepare(args.data, args.split)
        faces = split.images[np.unique(np.linspace(0, len(split) - 1, args.n).round().astype(int))]
    pictures = list(detection.photographs(args.photos) if args.photos else detection.shipped())
    photographs = {name: detection.on_photographs(look, pictures) for name, look in find.items()}
    scenes = {}
    if faces is not None:
        scenes = {name: detection.on_scenes(look, faces, label=f"{name}:", quiet=False) for name, look in find.items()}
    if args.json:
        return json.dumps({"photographs": photographs, "scenes": scenes}, indent=2)
    about = f"{len(pictures)} photographs"
    about += f", {len(faces):,} faces of {args.data}, {args.split}" if faces is not None else ""
    return f"{about}\n\n{detection.table(photographs, scenes)}"
