"""Write a model for other programs: ONNX or StableHLO, checked against JAX, with its card.

  fergen export fer2013_small small.onnx                 pixels to logits and probabilities; small.md is its card
  fergen export fer2013_small small.onnx --int8          in whole numbers of 8 bits, measured before and after
  fergen export runs/x@best flow.onnx --steps=20         a flow's velocity; fergen.export.flow_sampler follows it
  fergen export runs/y cvae.onnx --function=encode       another function of the model
  fergen export runs/x x.stablehlo                       for JAX and XLA: any batch, on CPU, CUDA GPU and TPU
  fergen export fer2013_small --card                     print the card alone

Classifiers take pixels as they are, uint8 [n, height, width, channels], gray or red, green, blue, at the size that the
card says; generators take latents and labels. The number of images is free. The file holds spec, classes, card, lineage
and hash as JSON; nothing is left of a model that differs from JAX by more than 1e-4 of its output's scale.

  fergen predict photos/ --weights=small.onnx

then needs no jax; fergen.export.runtime does the same from Python, for generators too. A classification names what a
face shows, which is not what somebody feels.
"""

import argparse

from fergen.core.errors import BadInput
from fergen.core.flags import add_sampler, sampler_of

HELP = "write a model for other programs: ONNX or StableHLO, with its card"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("weights", metavar="REF", help="run, run@step, .safetensors file or shipped name")
    parser.add_argument("out", metavar="OUT", nargs="?", help="ends in .onnx or .stablehlo")
    parser.add_argument("--function", default="", metavar="NAME", help="of the model (default: what serves inference)")
    parser.add_argument("--card", action="store_true", help="print the card; without OUT, nothing else")
    parser.add_argument("--scores", metavar="DIR", help="what fergen eval wrote for these weights, for the card")
    parser.add_argument("--int8", action="store_true", help="quantise a classifier, calibrated on training faces")
    parser.add_argument("--data", default="", metavar="SET", help="of --int8 (default: the one trained on)")
    parser.add_argument("--split", default="validation", metavar="A,B", help="that --int8 is measured on (%(default)s)")
    add_sampler(parser)


def run(args: argparse.Namespace) -> None:
    """Export, and say what was written."""
    if not args.out and not args.card:
        raise BadInput("expected OUT, a name ending in .onnx or .stablehlo, or --card")
    from fergen.export import card, write

    if not args.out:
        found = write.restore(args.weights)
        print(card.page(args.weights, write.described(found, args.scores)), end="")
        return
    done = write.export(
        args.weights,
        args.out,
        function=args.function,
        int8=args.int8,
        data=args.data,
        splits=args.split.split(","),
        scored=args.scores,
        **sampler_of(args),
    )
    print(f"largest difference from JAX: {done.error:.1e} of the output's scale, allowed 1e-4")
    for split, (before, after) in done.meta["card"].get("int8", {}).get("accuracy", {}).items():
        print(f"accuracy on {split}: {before:.4f} in float32, {after:.4f} in int8")
    for file in done.files:
        print(f"wrote {file} ({file.stat().st_size:,} bytes)")
    if args.card:
        print(done.files[-1].read_text(), end="")
