"""Find the styles under which a StyleGAN2 makes given faces.

  fergen project face.jpg                               onto fer2013_stylegan2_small, which ships
  fergen project face.jpg photos/ --weights=runs/x --out=projected/
  fergen project face.jpg --weights=faces.safetensors --label=happy --space=w+ --steps=300

Writes faces.png (each face beside what the generator makes of it), styles.npz (`ws`, float32 [n, layers, w], and the
layers' noise), and projected.json (distances, settings). A face is a cropped one, as the generator's training faces
are. All are searched for at once; begun anew, the same command ends with the same files.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

from fergen.core.errors import BadInput
from fergen.core.paths import atomic_write

HELP = "find the styles of faces in a StyleGAN2's latent space"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="image, folder of images, or CSV with a pixels column")
    parser.add_argument(
        "--weights",
        default="fer2013_stylegan2_small",
        metavar="REF",
        help="a StyleGAN2: run, run@step, file or name (%(default)s)",
    )
    parser.add_argument("--out", default="projected", metavar="DIR", help="folder of the results (%(default)s)")
    parser.add_argument("--label", metavar="EMOTION", help="of the faces: where the search begins (all faces' mean)")
    parser.add_argument("--space", choices=("w", "w+"), default="w", help="one style, or one per layer (%(default)s)")
    parser.add_argument("--steps", type=int, default=1000, metavar="N", help="of the search (%(default)s)")
    parser.add_argument("--features", metavar="REF", help="network that distances are taken in (EfficientNet-Lite0)")
    parser.add_argument("--seed", type=int, default=0, help="of noise (%(default)s)")
    parser.add_argument("--quiet", action="store_true", help="no progress")


def run(args: argparse.Namespace) -> None:
    """Project, write, and say what was written."""
    if args.steps < 1:
        raise BadInput(f"--steps={args.steps}: expected at least 1")
    import numpy as np

    from fergen.latent.projection import Settings
    from fergen.show import sheets
    from fergen.train.projecting import project

    began = time.monotonic()
    found = project(
        args.weights,
        args.paths,
        label=args.label,
        features=args.features,
        settings=Settings(space=args.space, steps=args.steps),
        seed=args.seed,
        quiet=args.quiet,
    )
    seconds, out = time.monotonic() - began, Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    pairs = np.stack([found.targets, found.images], axis=1)
    sheets.grid(pairs, out / "faces.png", headings=["face", "projected"])
    arrays: dict[str, Any] = {f"noise{i}": x for i, x in enumerate(found.found.noise)}
    np.savez(out / "styles.npz", ws=found.found.ws, **arrays)
    distances = [float(distance) for distance in found.found.distances]
    rows = [{"source": str(source), "distance": d} for source, d in zip(found.sources, distances)]
    about = {**found.about, "seconds": round(seconds, 2), "faces": rows}
    atomic_write(out / "projected.json", json.dumps(about, indent=2).encode())
    print(f"{len(rows)} faces in {seconds:.1f} s, mean distance {sum(distances) / len(rows):.4f}")
    print(f"wrote {out}/faces.png, styles.npz, projected.json")
