"""Generate faces with chosen expressions: a picture, a folder of images, or a labelled set to train on.

  fergen sample                                                   samples.png: a row per emotion, a column per latent
  fergen sample --weights=runs/x --interpolate --classes=happy,sad --out=way.png
  fergen sample --weights=runs/x --sweep=truncation=0,0.5,0.8,1 --out=sweep.png
  fergen sample --weights=runs/x --mix=4 --out=mixed.png           StyleGAN2: coarse styles of one face, fine of another
  fergen sample --weights=runs/x --out=faces/ --n=1000            faces/<class>/<row>.png
  fergen sample --weights=runs/x --dataset=made/ --n=100000       arrays and a manifest, classes balanced
  fergen sample --weights=runs/x --dataset=made/ --labels=happy=500,sad=200
  fergen sample --weights=runs/x --dataset=made/ --n=28000 --like=fer2013 --filter=fer2013_small --confidence=0.7

A folder or set is written block by block: killed at any moment, the same command goes on where it stopped and ends
with the same files. --filter keeps a face only if a classifier finds its label the most probable, with at least
--confidence; a class of which fewer than one face in 2,000 passes ends the command. With --correct it keeps every face
of which the classifier is as sure, under the label that it sees. Then

  fergen prepare synthetic --from made/ --name made

makes it a set like any other, whose lineage holds the generator, the filter, and all that went into them. Faces are
numbered: number i has the same latent in every form, for the same --seed, whatever the --batch.
"""

import argparse
import sys
from typing import Any

from fergen.core.errors import BadInput
from fergen.core.flags import add_distributed, add_sampler, sampler_of

HELP = "generate faces: a picture, a folder of images, or a set to train on"
FACES, COLUMNS = 1000, 10
PICTURE_ONLY = ("interpolate", "sweep", "mix", "columns")
SET_ONLY = ("n", "labels", "like", "filter", "confidence", "correct", "judge")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--weights",
        default="fer2013_flow_small",
        metavar="REF",
        help="the generator: run, run@step, file or name (%(default)s)",
    )
    parser.add_argument("--out", metavar="PATH", help="a .png for a picture (default: samples.png), else a folder")
    parser.add_argument("--dataset", metavar="DIR", help="write a labelled set, for fergen prepare synthetic")
    parser.add_argument("--classes", metavar="A,B", help="these emotions alone (default: all)")
    parser.add_argument("--interpolate", action="store_true", help="picture: the way between two latents")
    parser.add_argument(
        "--sweep", metavar="OPTION=V,V", help="picture: a face under several values of truncation, guidance or steps"
    )
    parser.add_argument(
        "--mix", type=int, metavar="N", help="picture: StyleGAN2's first N styles of one face, the rest of another"
    )
    parser.add_argument("--columns", type=int, metavar="N", help=f"picture: latents, or faces of a way ({COLUMNS})")
    parser.add_argument("--n", type=int, metavar="N", help=f"faces of a folder or set, over all classes ({FACES})")
    parser.add_argument("--labels", metavar="A=N,B=N", help="so many faces of each of these emotions")
    parser.add_argument("--like", metavar="SET", help="classes in the shares of this prepared set's train split")
    parser.add_argument("--filter", metavar="REF", help="a classifier that must recognise each face")
    parser.add_argument("--confidence", type=float, metavar="P", help="the filter's least probability of the label (0)")
    parser.add_argument(
        "--correct", action="store_true", help="keep what the filter is sure of under the label that it sees"
    )
    parser.add_argument("--judge", metavar="REF", help="a classifier whose probabilities are recorded, no more")
    parser.add_argument("--seed", type=int, default=0, help="of the latents (%(default)s)")
    parser.add_argument("--batch", type=int, default=256, metavar="N", help="faces per compiled call (%(default)s)")
    add_sampler(parser)
    add_distributed(parser)
    parser.add_argument("--quiet", action="store_true", help="no progress")


def run(args: argparse.Namespace) -> None:
    """Parse, generate, write, and say what was written."""
    if args.out and args.dataset:
        raise BadInput("expected --out or --dataset, found both")
    picture = not args.dataset and (args.out is None or args.out.endswith(".png"))
    refuse(args, SET_ONLY if picture else PICTURE_ONLY, picture)
    counts = parsed_counts(args.labels) if args.labels else None
    if counts and (args.n is not None or args.classes or args.like):
        raise BadInput("--labels says how many faces of which emotions: leave out --n, --classes and --like")
    if args.confidence is not None and not (args.filter and 0 <= args.confidence <= 1):
        raise BadInput(f"--confidence={args.confidence}: expected a probability in [0, 1], with --filter=REF")
    if args.correct and not args.filter:
        raise BadInput("--correct: expected --filter=REF, the classifier whose labels are taken")
    for name in ("batch", "columns", "n"):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            raise BadInput(f"--{name}={getattr(args, name)}: expected at least 1")
    classes = args.classes.split(",") if args.classes else None

    if picture and sum(bool(getattr(args, name)) for name in ("interpolate", "sweep", "mix")) > 1:
        raise BadInput("--interpolate, --sweep and --mix are pictures of their own: expected one of them")
    from fergen.core import hosts

    with hosts.joined(args.distributed):
        import jax

        from fergen.train.searched import generator

        net = generator(args.weights, **sampler_of(args))
        if not picture:
            write(net, counts, classes, args)
        elif jax.process_index() == 0:
            # A few faces: no work for several.
            draw(net, classes, args)


def refuse(args: argparse.Namespace, names: tuple[str, ...], picture: bool) -> None:
    """Refuse options that do not go with the form asked for."""
    for name in names:
        if getattr(args, name) not in (None, False):
            where = "--out=DIR or --dataset=DIR" if picture else "a picture: --out=FILE.png"
            raise BadInput(f"--{name} goes with {where}")


def parsed_counts(text: str) -> dict[str, int]:
    """Parse happy=500,sad=200.

    Raises:
        BadInput: another form.
    """
    counts = {}
    for part in text.split(","):
        name, equals, n = part.partition("=")
        if not (name and equals and n.isdecimal()) or name in counts:
            raise BadInput(f"--labels={text}: expected EMOTION=NUMBER,..., each emotion once; found '{part}'")
        counts[name] = int(n)
    return counts


def parsed_sweep(text: str) -> tuple[str, list[float]]:
    """Parse truncation=0,0.5,1; steps are whole numbers.

    Raises:
        BadInput: another form.
    """
    name, equals, listed = text.partition("=")
    try:
        values = [int(value) if name == "steps" else float(value) for value in listed.split(",")]
    except ValueError:
        values = []
    if not (name and equals and values):
        raise BadInput(f"--sweep={text}: expected OPTION=NUMBER,NUMBER,...; for example truncation=0,0.5,1")
    return name, values


def draw(net: Any, classes: list[str] | None, args: argparse.Namespace) -> None:
    """Write a picture."""
    from fergen.show import faces as pictures
    from fergen.train import faces

    names = faces.chosen(net.spec, classes) if net.spec["conditional"] else None
    if args.sweep:
        option, values = parsed_sweep(args.sweep)
        images = faces.sweep(net, option, values, classes, seed=args.seed, batch=args.batch)
        headings = [f"{value:g}" for value in values]
        path = pictures.sweep(images, args.out or "samples.png", headings=headings, classes=names)
        print(f"wrote {path}: {option} {', '.join(headings)}")
        return
    if args.mix is not None:
        images = faces.mixture(net, args.mix, classes, columns=args.columns or COLUMNS, seed=args.seed)
        path = pictures.mixture(images, args.out or "samples.png", classes=names)
        print(f"wrote {path}: styles of the first {args.mix} layers from the left, the others from above")
        return
    form, columns = "interpolation" if args.interpolate else "grid", args.columns or COLUMNS
    if args.interpolate and columns < 2:
        raise BadInput(f"--columns={columns}: expected at least 2 faces from one latent to the other")
    images = getattr(faces, form)(net, classes, columns=columns, seed=args.seed, batch=args.batch)
    path = getattr(pictures, form)(images, args.out or "samples.png", classes=names)
    print(f"wrote {path}: {images.shape[0]} rows of {images.shape[1]} faces")


def write(net: Any, counts: dict[str, int] | None, classes: list[str] | None, args: argparse.Namespace) -> None:
    """Write a folder or a set."""
    from fergen.train import synthesis
    from fergen.train.restore import restore
    from fergen.train.targets import stated, targets

    asked = stated(net.spec, counts) if counts else targets(net.spec, args.n or FACES, classes=classes, like=args.like)
    done = synthesis.write(
        args.dataset or args.out,
        net,
        asked,
        form="npy" if args.dataset else "png",
        keep=synthesis.Filter(restore(args.filter), args.confidence or 0.0, args.correct) if args.filter else None,
        judge=restore(args.judge) if args.judge else None,
        seed=args.seed,
        batch=args.batch,
        quiet=args.quiet,
    )
    print(table(done, filtered=bool(args.filter)))
    print(f"\n{done.folder}: {sum(done.kept.values()):,} faces, {done.fresh:,} of them new")
    if args.dataset and not args.quiet:
        print(f"to train on them: fergen prepare synthetic --from {args.dataset} --name NAME", file=sys.stderr)


def table(done: Any, *, filtered: bool) -> str:
    """Format what a folder holds: a line per class, with the share that passed the filter if there was one."""
    lines = [f"{'class':<12} {'faces':>9}" + (f" {'drawn':>9} {'passed':>7}" if filtered else "")]
    for name, kept in done.kept.items():
        passed = f" {done.drawn[name]:>9,} {kept / max(done.drawn[name], 1):>7.1%}" if filtered else ""
        lines.append(f"{name:<12} {kept:>9,}{passed}")
    return "\n".join(lines)
