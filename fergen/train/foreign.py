"""Foreign weights as ours: read, fitted to the asked network, completed, and written with their lineage."""

from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from fergen.convert import efficientnet_lite, inception, torchvision
from fergen.convert.match import Report
from fergen.core.errors import BadInput
from fergen.core.lineage import of_weights
from fergen.core.paths import file_hash
from fergen.core.tree import leaf_names, nest
from fergen.models import inception_v3
from fergen.tasks.classifier import shapes_of
from fergen.tasks.network import network_of
from fergen.train import weights

# What `read` takes for the one form of Inception v3.
INCEPTION = {
    "model": "inception_v3",
    "options": {},
    "classes": inception_v3.CLASSES,
    "image": {"height": inception_v3.SIZE, "width": inception_v3.SIZE, "channels": 3},
}


class Foreign(NamedTuple):
    """Foreign weights as a classifier of ours.

    Attributes:
        variables: nested dicts of arrays.
        spec: what predict is built from.
        file: what was read.
        report: what was adapted, replaced and unused.
    """

    variables: dict[str, Any]
    spec: dict[str, Any]
    file: Path
    report: Report

    @property
    def lineage(self) -> dict[str, Any]:
        """What went into the weights: the file."""
        return of_weights(self.file.name, file_hash(self.file))


def read(
    source: str,
    file: str | Path | None,
    *,
    model: str,
    options: dict[str, Any],
    classes: int,
    image: dict[str, int],
) -> Foreign:
    """Read one file of weights into a network.

    Args:
        source: torchvision, efficientnet_lite or inception.
        file: what to read; None for the installed package of efficientnet_lite.
        model: a file of fergen/models.
        options: of the model's `build`.
        classes: size of the head; another size than the file's gives a head of random weights, but for inception.
        image: height, width and channels of the images it will see; inception takes three channels.

    Raises:
        BadInput: unreadable, of another architecture, or incomplete.
    """
    if classes < 1 or min(image.values()) < 1:
        raise BadInput(f"expected at least one class and pixel, found {classes} classes and image {image}")
    file = Path(file) if file else efficientnet_lite.find()
    tables = {"torchvision": torchvision, "efficientnet_lite": efficientnet_lite, "inception": inception}
    mean, std = tables[source].normalisation(image["channels"])
    spec = {
        "task": "classifier",
        "model": {"name": model, **options, "dtype": "float32"},
        "classes": [f"class_{i}" for i in range(classes)],
        "image": image,
        "mean": mean,
        "std": std,
    }
    empty = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes_of(spec))
    if source == "torchvision":
        variables, report = torchvision.load(file, model, empty)
    elif source == "efficientnet_lite":
        variables, report = efficientnet_lite.load(empty, file)
    else:
        variables, report = inception.load(empty, file)
        spec["resize"] = inception.RESIZE
    if report.missing:
        raise BadInput(
            f"{file}: {len(report.missing)} leaves are missing, the first is {report.missing[0]}; "
            "is it of another architecture or variant?"
        )
    if report.replaced:
        x = jnp.zeros((1, image["height"], image["width"], image["channels"]))
        variables = nest(leaf_names(variables) | drawn(network_of(spec), x, list(report.replaced)))
    return Foreign(variables, spec, file, report)


def convert(source: str, file: str | Path | None, out: str | Path, **network: Any) -> tuple[Report, str]:
    """Convert one file of weights.

    Args:
        source: as of `read`.
        file: as of `read`.
        out: what to write, ending in .safetensors.
        **network: the other arguments of `read`.

    Returns:
        What was adapted, replaced and unused; and the hash of the weights.

    Raises:
        BadInput: unreadable, of another architecture, or incomplete.
    """
    out = Path(out)
    if out.suffix != ".safetensors":
        raise BadInput(f"{out}: expected a name ending in .safetensors")
    found = read(source, file, **network)
    card = {"source": source, "file": found.file.name, "report": str(found.report)}
    return found.report, weights.write(out, found.variables, spec=found.spec, lineage=found.lineage, card=card)


def drawn(module: Any, x: jax.Array, names: list[str]) -> dict[str, jax.Array]:
    """Return random initial values of some leaves of a network for images like x.

    Only these are compiled; a whole initialisation would take half a minute.
    """

    def some(key: jax.Array) -> dict[str, jax.Array]:
        initial = leaf_names(module.init(key, x))
        return {name: initial[name] for name in names}

    return jax.jit(some)(jax.random.key(0))
