"""Measure the speed of an experiment on the devices at hand.

  fergen bench --config=fer2013_small
  fergen bench --config=procedural_small --config.batch_size=256 --json

Prints images/s of the compiled step, of the input path alone and of both together as training runs them, the share of
time outside the compiled call, compile time, FLOP/s of convolutions and matrix products, prediction
rate and peak memory.
"""

import argparse
import json

from fergen.core.flags import add_config, config_of

HELP = "measure images/s, compile time, memory and FLOP/s of an experiment"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    add_config(parser)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of each measurement (default: 10)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(args: argparse.Namespace) -> None:
    """Measure and print."""
    config = config_of(args)
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
