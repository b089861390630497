"""Show which pixels of a face speak for a classifier's answer.

  fergen saliency face.jpg
  fergen saliency photos/ --weights=runs/x --out=saliency.png --method=integrated_gradients
  fergen saliency face.jpg --emotion=happy

A PATH is an image of a face, a folder of such images, or a CSV with a column `pixels`; an image is taken to be a face,
cropped. The picture shows each face beside its map: rust where pixels speak for the expression, blue where against it.

grad_cam (Selvaraju et al. 2017) weighs the last convolution's maps by the gradient of the expression's logit: coarse.
integrated_gradients (Sundararajan et al. 2017) shares the logit's difference from a black image out to the pixels:
fine, and the shares add up to it. A map says what the network went by, not that it is right; and an expression is not
an inner feeling.
"""

import argparse
from itertools import islice
from pathlib import Path

from fergen.core.errors import BadInput

HELP = "show which pixels of a face speak for a classifier's answer"
FACES = 24  # on a page
SIDE = 144  # pixels


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="image, folder of images, or CSV with a pixels column")
    parser.add_argument(
        "--weights",
        default="fer2013_distilled",
        metavar="REF",
        help="run, run@step, file or shipped name (%(default)s)",
    )
    parser.add_argument("--out", default="saliency.png", metavar="PNG", help="the picture (%(default)s)")
    parser.add_argument(
        "--method",
        choices=("grad_cam", "integrated_gradients"),
        default="grad_cam",
        help="how pixels are weighed (%(default)s)",
    )
    parser.add_argument("--emotion", metavar="EMOTION", help="the expression asked about (default: what is answered)")


def run(args: argparse.Namespace) -> None:
    """Read, weigh the pixels, draw."""
    if Path(args.out).suffix != ".png":
        raise BadInput(f"--out={args.out}: expected a name that ends in .png")
    import numpy as np

    from fergen.data import inputs
    from fergen.data.vocabulary import canonical, is_known
    from fergen.evals.saliency import saliency
    from fergen.show import saliency as pictures
    from fergen.train.restore import restore

    items = list(islice(inputs.read(args.paths), FACES + 1))
    left_out, items = len(items) > FACES, items[:FACES]
    faces = np.stack([item.decode((SIDE, SIDE), 3) for item in items])
    net = restore(args.weights)
    classes, target = net.spec["classes"], args.emotion
    if target is not None and target not in classes and is_known(target):
        target = canonical(target)
    size = net.spec["image"]
    read = np.stack([item.decode((size["height"], size["width"]), size["channels"]) for item in items])
    found = saliency(net, read, method=args.method, target=target)
    best = found.probabilities.argmax(1)
    path = pictures.draw(
        faces,
        found.maps,
        args.out,
        asked=[classes[c] for c in found.targets],
        answers=[f"{classes[c]} {row[c]:.0%}" for c, row in zip(best, found.probabilities)],
        sources=[f"row {item.source}" if isinstance(item.source, int) else item.source for item in items],
    )
    n = len(items)
    print(f"wrote {path}: {n} face{'s' * (n > 1)}" + (", the first of those named" if left_out else ""))
