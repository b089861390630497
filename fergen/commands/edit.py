"""Move faces of a StyleGAN2 towards an expression, by the gradient of classifiers in its latent space.

  fergen edit happy --weights=runs/fer2013_stylegan2 --n=8 --out=edited/
  fergen edit sad --weights=faces.safetensors --from=projected/styles.npz --space=w+ --judge=fer2013_judge
  fergen edit fear --weights=faces.safetensors --guide=fer2013_small,runs/x --label=neutral --steps=100
  fergen edit happy --weights=runs/fer2013_stylegan2 --cvae=runs/fer2013_cvae --judge=fer2013_judge
  fergen edit happy --weights=runs/fer2013_stylegan2 --by=regression --strength=4
  fergen edit all --weights=runs/fer2013_stylegan2 --judge=fer2013_judge --label=neutral --n=64

Writes strip.png (each face before and after), way.gif (all of them on the way), styles.npz (where they ended, for
another edit), and edited.json: what guides and judge see before and after, how far each face went from its start and
from itself (identity), steps per second. Without --from it begins at random faces, of --label if given; with
--truncation=0 at the label's mean face.

--by=search moves each face on its own way. --by=gradient and --by=regression move all of them along one direction: the
mean of the guide's gradients, or a regression of what the guide sees on the style; it is written to direction.npz.
`fergen edit all` moves the same faces to every expression in turn and writes how often the judge sees it, beside the
generator's own samples, and with --cvae the CVAE's and the hybrid: control.md, control.json, all.png.
--cvae makes the hybrid: the CVAE's picture of the same face with the other expression pulls the search, StyleGAN
supplies the detail; hybrid.png shows them side by side.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from fergen.core.errors import BadInput
from fergen.core.paths import atomic_write

HELP = "move faces towards an expression in a StyleGAN2's latent space"
EVERY = "all"  # in place of an expression
SHEET = 10  # faces of the picture of all expressions


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("target", metavar="EMOTION", help=f"the expression to move to, or {EVERY}")
    parser.add_argument("--weights", required=True, metavar="REF", help="a StyleGAN2: run, run@step, file or name")
    parser.add_argument(
        "--by", choices=("search", "gradient", "regression"), default="search", help="how to move (%(default)s)"
    )
    parser.add_argument("--guide", default="fer2013_small", metavar="A,B", help="classifiers to convince (%(default)s)")
    parser.add_argument("--judge", metavar="REF", help="an independent classifier, to say what came of it")
    parser.add_argument("--from", dest="start", metavar="NPZ", help="styles.npz of fergen project")
    parser.add_argument("--label", metavar="EMOTION", help="of the random faces it begins at (each in turn)")
    parser.add_argument("--truncation", type=float, metavar="PSI", help="of random faces; 0: the label's mean face")
    parser.add_argument("--n", type=int, default=8, help="random faces (%(default)s)")
    parser.add_argument("--out", default="edited", metavar="DIR", help="folder of the results (%(default)s)")
    parser.add_argument(
        "--space", choices=("z", "w", "w+"), default="w", help="latents, styles, or one per layer (%(default)s)"
    )
    parser.add_argument("--steps", type=int, default=50, metavar="N", help="of the search (%(default)s)")
    parser.add_argument("--rate", type=float, default=0.05, help="of learning, in deviations of styles (%(default)s)")
    parser.add_argument("--realism", type=float, default=0.1, help="weight of the distance to the mean (%(default)s)")
    parser.add_argument("--identity", type=float, default=1.0, help="weight of staying the same face (%(default)s)")
    parser.add_argument("--size", type=float, default=0.1, help="weight of the move's size (%(default)s)")
    parser.add_argument("--features", metavar="REF", help="network of identity: ours or faces.onnx (Lite0)")
    parser.add_argument("--cvae", metavar="REF", help="a CVAE whose picture pulls the search: the hybrid")
    parser.add_argument("--pull", type=float, default=2.0, help="weight of the distance to it (%(default)s)")
    parser.add_argument(
        "--strength", type=float, default=3.0, help="way along a direction, in deviations (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of faces and views (%(default)s)")
    parser.add_argument("--quiet", action="store_true", help="no progress")


def run(args: argparse.Namespace) -> None:
    """Search, write, and say what came of it."""
    for name, least in (("steps", 1), ("n", 1), ("realism", 0), ("identity", 0), ("size", 0), ("pull", 0)):
        if getattr(args, name) < least:
            raise BadInput(f"--{name}={getattr(args, name)}: expected at least {least}")
    import numpy as np
    from PIL import Image

    from fergen.latent.search import Settings
    from fergen.show import sheets
    from fergen.train.editing import edit

    options = {
        "by": args.by,
        "guides": args.guide.split(","),
        "start": args.start,
        "label": args.label,
        "truncation": args.truncation,
        "features": args.features,
        "strength": args.strength,
        "settings": Settings(
            space=args.space,
            steps=args.steps,
            rate=args.rate,
            realism=args.realism,
            identity=args.identity,
            size=args.size,
            pull=args.pull,
        ),
        "quiet": args.quiet,
    }
    common = {"judge": args.judge, "n": args.n, "cvae": args.cvae, "seed": args.seed}
    out = Path(args.out)
    if args.target == EVERY:
        write_table(args.weights, out, common, options)
        return
    found = edit(args.weights, args.target, **common, **options)
    out.mkdir(parents=True, exist_ok=True)
    about = found.about
    pairs = np.stack([found.frames[0], found.frames[-1]], axis=1)
    sheets.grid(pairs, out / "strip.png", headings=["before", args.target])
    rows = [np.concatenate(list(frame), axis=1) for frame in found.frames]
    way = [Image.fromarray(row[..., 0] if row.shape[-1] == 1 else row) for row in rows]
    way = [image.resize((2 * image.width, 2 * image.height)) for image in way]
    way[0].save(out / "way.gif", save_all=True, append_images=way[1:], duration=120, loop=0)
    written = ["strip.png", "way.gif", "edited.json"]
    if args.space != "z":
        np.savez(out / "styles.npz", ws=found.points)
        written.append("styles.npz")
    if found.direction is not None:
        np.savez(out / "direction.npz", direction=found.direction)
        written.append("direction.npz")
    if found.hybrid is not None:
        headings = ["before", "CVAE", "StyleGAN2", "hybrid"]
        sheets.grid(found.hybrid, out / "hybrid.png", headings=headings)
        written.append("hybrid.png")
    atomic_write(out / "edited.json", json.dumps(about, indent=2).encode())
    roles = ("guide", "judge") if args.judge else ("guide",)
    for role in roles:
        before, after = (100 * np.mean(about[f"{role} {when}"]) for when in ("before", "after"))
        print(f"{role}: {before:.1f} -> {after:.1f} % {args.target}, mean of {len(pairs)} faces")
    for name, each in about.get("judge of hybrid", {}).items():
        print(f"judge of {name}: {100 * np.mean(each):.1f} % {args.target}")
    for name in ("steps/s", "R squared", "agreement of gradients"):
        if name in about:
            print(f"{name}: {about[name]:.3g}")
    print(f"wrote to {out}: {', '.join(written)}")


def write_table(weights: str, out: Path, common: dict[str, Any], options: dict[str, Any]) -> None:
    """Edit to every expression; write the judge's table and a sheet of the faces."""
    from fergen.show import sheets
    from fergen.train import edit_table

    if common["judge"] is None:
        raise BadInput("all expressions are edited to for the judge's table: name an independent --judge=REF")
    table, images = edit_table.every_emotion(weights, **common, **options)
    text = edit_table.text(table)
    out.mkdir(parents=True, exist_ok=True)
    sheets.grid(images[:SHEET], out / "all.png", headings=["before", *table])
    atomic_write(out / "control.md", text + "\n")
    atomic_write(out / "control.json", json.dumps(table, indent=2))
    print(f"{text}\nwrote to {out}: all.png, control.md, control.json")
