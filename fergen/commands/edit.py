"""Move faces of a StyleGAN2 towards an expression, by the gradient of classifiers in its latent space.

  fergen edit happy                                     random faces of fer2013_stylegan2_small, which ships
  fergen edit happy --weights=runs/x --n=32 --out=edited/
  fergen edit sad --weights=faces.safetensors --from=projected/styles.npz --space=w+ --judge=fer2013_judge
  fergen edit fear --weights=faces.safetensors --guide=fer2013_small,runs/x --label=neutral --steps=100
  fergen edit happy --cvae=fer2013_cvae --judge=fer2013_judge
  fergen edit happy --by=regression --strength=4
  fergen edit all --judge=fer2013_judge --label=neutral --n=64

Writes strip.png (each face before and after), way.gif (all of them on the way), styles.npz (where they ended, for
another edit), and edited.json: what guides and judge see before and after, how far each face went from its start and
from itself (identity), steps per second. Without --from it begins at random faces, of --label if given; with
--truncation=0 at the label's mean face.

--by=search moves each face on its own way. --by=gradient and --by=regression move all of them along one direction: the
mean of the guide's gradients, or a regression of what the guide sees on the style; it is written to directions.npz.
`fergen edit all` moves the same faces to every expression in turn and writes how often the judge sees it, beside the
generator's own samples, and with --cvae the CVAE's and the hybrid: control.md, control.json. All are one search, whose
memory grows with faces x expressions.
--cvae makes the hybrid: the CVAE's picture of the same face with the other expression pulls the search, StyleGAN
supplies the detail; hybrid.png shows them side by side.
"""

import argparse
from pathlib import Path
from typing import Any

from fergen.core.errors import BadInput
from fergen.core.paths import atomic_write, write_json

HELP = "move faces towards an expression in a StyleGAN2's latent space"
EVERY = "all"  # in place of an expression


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("target", metavar="EMOTION", help=f"the expression to move to, or {EVERY}")
    parser.add_argument(
        "--weights",
        default="fer2013_stylegan2_small",
        metavar="REF",
        help="a StyleGAN2: run, run@step, file or name (%(default)s)",
    )
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

    from fergen.latent.search import Settings
    from fergen.train import edit_table
    from fergen.train.editing import edit

    if args.target == EVERY and args.judge is None:
        raise BadInput("all expressions are edited to for the judge's table: name an independent --judge=REF")
    found = edit(
        args.weights,
        None if args.target == EVERY else [args.target],
        by=args.by,
        guides=args.guide.split(","),
        judge=args.judge,
        start=args.start,
        label=args.label,
        truncation=args.truncation,
        n=args.n,
        features=args.features,
        cvae=args.cvae,
        strength=args.strength,
        settings=Settings(
            space=args.space,
            steps=args.steps,
            rate=args.rate,
            realism=args.realism,
            identity=args.identity,
            size=args.size,
            pull=args.pull,
        ),
        seed=args.seed,
        quiet=args.quiet,
    )
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    written = write(found, out)
    if args.target == EVERY:
        made = edit_table.table(found, seed=args.seed)
        text = edit_table.text(made)
        atomic_write(out / "control.md", text + "\n")
        write_json(out / "control.json", made)
        written += ["control.md", "control.json"]
        print(text)
    about = found.about
    for role in ("guide", "judge") if args.judge else ("guide",):
        before, after = (100 * np.mean(about[f"{role} {when}"]) for when in ("before", "after"))
        print(f"{role}: {before:.1f} -> {after:.1f} % {args.target}, mean of {len(found.points)} faces")
    for name, each in about.get("judge of hybrid", {}).items():
        print(f"judge of {name}: {100 * np.mean(each):.1f} % {args.target}")
    for name, each in about.get("identity of hybrid", {}).items():
        print(f"{name}: {np.mean(each):.3f} from the face before")
    for name in ("steps/s", "R squared", "agreement of gradients"):
        if name in about:
            print(f"{name}: {about[name]:.3g}")
    print(f"wrote to {out}: {', '.join(written)}")


def write(found: Any, out: Path) -> list[str]:
    """Write pictures, styles, directions and what there is to say; returns the names of the files."""
    import numpy as np
    from PIL import Image

    from fergen.show import sheets
    from fergen.train.editing import HYBRID

    wanted, written = found.scene.wanted, ["strip.png", "way.gif", "edited.json"]
    # A row of the picture is a face, before and moved to each expression.
    after = np.stack(np.split(found.frames[-1], len(wanted)), axis=1)
    sheets.grid(
        np.concatenate([found.frames[0][: len(after), None], after], axis=1), out / "strip.png",
        headings=["before", *wanted],
    )  # fmt: skip
    # Of the way a row is an expression.
    frames = [np.concatenate(list(images), axis=1) for images in found.frames]
    rows = [np.concatenate(np.split(frame, len(wanted), axis=1)) for frame in frames]
    way = [Image.fromarray(row[..., 0] if row.shape[-1] == 1 else row) for row in rows]
    way = [image.resize((2 * image.width, 2 * image.height)) for image in way]
    way[0].save(out / "way.gif", save_all=True, append_images=way[1:], duration=120, loop=0)
    if found.points.shape[1] > 1:  # latents have no layers
        np.savez(out / "styles.npz", ws=found.points)
        written.append("styles.npz")
    if found.directions:
        np.savez(out / "directions.npz", **found.directions)
        written.append("directions.npz")
    if found.hybrid is not None:
        sheets.grid(found.hybrid, out / "hybrid.png", headings=HYBRID)
        written.append("hybrid.png")
    write_json(out / "edited.json", found.about)
    return written
