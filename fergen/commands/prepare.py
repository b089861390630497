"""Turn a set of faces on disk into prepared data, once, and say what is in it.

  fergen prepare fer2013 --from fer2013.csv
  fergen prepare fer2013 --from fer2013.csv.zip --ferplus fer2013new.csv
  fergen prepare fer2013 --from archive.zip                  train/<class>/*, test/<class>/*
  fergen prepare affectnet --from affectnet/ --size 128
  fergen prepare rafdb --from rafdb/
  fergen prepare folder --from my_faces/ --name mine --size 64 --channels 1
  fergen prepare folder --from photos/ --name mine --align --size 48 --channels 1
  fergen prepare folder --from photos/ --name mine --boxes faces.csv --margin 0.1
  fergen prepare procedural --count 20000 --size 64          drawn, needs no files
  fergen prepare synthetic --from made/ --name made          faces of fergen sample, with their lineage

The set goes to $FERGEN_DATA/<name> (default: the user's cache folder) and is then named in configs and commands.
Validation is a tenth of train, chosen by the images' own pixels, unless the set brings its own. An audit is printed
and kept as audit.json: counts, pixel statistics, identical images within and across splits, conflicting labels.
Prepared again from the same files and options, nothing is done; from others, the set is replaced.

With --align a face is found in each photograph of the class folders (of several the largest is taken), turned and
scaled so that eyes, nose and mouth lie as in FER2013's images, and cut out. Which faces were taken stands in the set's
faces.csv, photographs without one in rejects.csv. A table of your own, with the columns file (below --from), x, y,
width, height and if you like eye_1_x, eye_1_y, eye_2_x, ..., mouth_2_y, comes with --boxes.
"""

import argparse
from pathlib import Path

PER_CLASS, VERSIONS = 12, 9
"""A sheet has so many images of a class; an augmented one so many versions of an image."""

HELP = "turn a set of faces on disk into prepared data, and audit it"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("source", metavar="NAME", help="fer2013, affectnet, rafdb, folder, procedural or synthetic")
    parser.add_argument("--from", dest="path", metavar="PATH", help="the file or folder to read")
    parser.add_argument("--name", help="name of the prepared set (default: the source's)")
    parser.add_argument("--root", metavar="DIR", help="folder of prepared sets (default: $FERGEN_DATA)")
    parser.add_argument(
        "--splits",
        default="hash",
        metavar="hash|official",
        help="hash: validation is a tenth of train (default); official: FER2013's PublicTest is validation",
    )
    parser.add_argument("--ferplus", type=Path, metavar="PATH", help="FER+ votes, row by row beside FER2013's CSV")
    parser.add_argument(
        "--images", type=Path, metavar="PATH", help="AffectNet's photographs, where they do not lie under --from"
    )
    parser.add_argument("--size", type=int, help="resize images to this side in pixels")
    parser.add_argument("--channels", type=int, choices=(1, 3), help="1 gray, 3 colour")
    parser.add_argument("--vocabulary", help="five, seven or eight classes, for sources that offer a choice")
    parser.add_argument("--count", type=int, help="how many faces to draw")
    parser.add_argument("--seed", type=int, help="which faces to draw")
    parser.add_argument(
        "--align",
        nargs="?",
        const="",
        metavar="DETECTOR",
        help="find a face in each photograph and align it: mtcnn (default), haar, yunet:FILE.onnx",
    )
    parser.add_argument("--boxes", type=Path, metavar="CSV", help="where the faces are, instead of looking for them")
    parser.add_argument(
        "--margin", type=float, metavar="M", help="add this share of a face's side around it, of --align and --boxes"
    )
    parser.add_argument(
        "--skip-unreadable", action="store_true", help="leave out damaged images and count them, rather than stop"
    )
    parser.add_argument("--show", action="store_true", help="write contact sheets, before and after augmentation")
    parser.add_argument(
        "--config", default="fer2013_small", help="the config whose augmentation --show draws (default: fer2013_small)"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress")


def run(args: argparse.Namespace) -> None:
    """Prepare, print the audit, and draw the contact sheets where asked."""
    from fergen.data.audit import table
    from fergen.data.detect import DEFAULT
    from fergen.data.prepare import prepare

    done = prepare(
        args.source,
        args.path,
        name=args.name,
        root=args.root,
        splits=args.splits,
        skip_unreadable=args.skip_unreadable,
        align=DEFAULT if args.align == "" else args.align,
        boxes=args.boxes,
        margin=args.margin,
        quiet=args.quiet,
        ferplus=args.ferplus,
        images=args.images,
        size=args.size,
        channels=args.channels,
        vocabulary=args.vocabulary,
        count=args.count,
        seed=args.seed,
    )
    print(table(done.audit))
    print()
    if done.fresh:
        print(f"prepared {done.folder} ({done.spec.hash[:12]})")
    else:
        print(f"{done.folder} is there already, from the same files and options ({done.spec.hash[:12]}): nothing done")
    if args.show:
        for path in sheets(done.folder, args.config):
            print(f"wrote {path}")


def sheets(folder: Path, config: str) -> list[Path]:
    """Draw a prepared set: each split's classes, and images of train before and after augmentation.

    Args:
        folder: the prepared set.
        config: reference of the config whose augmentation is drawn.

    Returns:
        The PNG files.
    """
    import jax
    import numpy as np

    from fergen.augment import pipeline
    from fergen.core import config as configs
    from fergen.core.arrays import to_float, to_uint8
    from fergen.data import dataset
    from fergen.show.sheets import before_after, by_class

    augment = jax.jit(pipeline.build(configs.load(config).augment))
    written = []
    splits = dataset.spec_of(folder).splits
    for name in splits:
        split = dataset.load(folder, name)
        path = folder / "sheets" / f"{name}.png"
        title = f"{split.spec.name}, {name}: {len(split):,} images"
        written.append(by_class(split.images, split.labels, split.spec.classes, path, per_class=PER_CLASS, title=title))
    split = dataset.load(folder, "train" if "train" in splits else next(iter(splits)))
    classes = split.spec.classes
    rows = [np.flatnonzero(split.labels == c)[:PER_CLASS] for c in range(len(classes))]
    images = np.concatenate([split.images[r] for r in rows])
    repeated = np.repeat(images, VERSIONS, axis=0)
    one_hot = np.eye(len(classes), dtype=np.float32)[
        np.repeat(np.concatenate([split.labels[r] for r in rows]), VERSIONS)
    ]
    # All classes in one call: one shape, one compilation.
    after, _ = augment(jax.random.key(0), to_float(repeated), one_hot)
    versions = np.asarray(to_uint8(after)).reshape(len(images), VERSIONS, *after.shape[1:])
    ends = np.cumsum([len(r) for r in rows])
    for name, r, end in zip(classes, rows, ends):
        if len(r):
            path = folder / "sheets" / f"augmented_{name}.png"
            of_class = slice(end - len(r), end)
            title = f"{name}, augmented as in {config}"
            written.append(before_after(images[of_class], versions[of_class], path, title=title))
    return written
