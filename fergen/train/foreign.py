"""Foreign weights as a file of ours: read, fitted to the asked network, completed, and written with their lineage."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fergen.convert import efficientnet_lite, torchvision
from fergen.convert.match import Report
from fergen.core.errors import BadInput
from fergen.core.lineage import of_weights
from fergen.core.paths import file_hash
from fergen.core.tree import leaf_names, nest
from fergen.tasks.classifier import module_of
from fergen.train import weights


def convert(
    source: str,
    file: str | Path | None,
    out: str | Path,
    *,
    model: str,
    options: dict[str, Any],
    classes: int,
    image: dict[str, int],
) -> tuple[Report, str]:
    """Convert one file of weights.

    Args:
        source: torchvision or efficientnet_lite.
        file: what to read; None for the installed package of efficientnet_lite.
        out: what to write, ending in .safetensors.
        model: a file of fergen/models.
        options: of the model's `build`.
        classes: size of the head; another size than the file's gives a head of random weights.
        image: height, width and channels of the images it will see.

    Returns:
        What was adapted, replaced and unused; and the hash of the weights.

    Raises:
        BadInput: unreadable, of another architecture, or incomplete.
    """
    out = Path(out)
    if out.suffix != ".safetensors":
        raise BadInput(f"{out}: expected a name ending in .safetensors")
    if classes < 1 or min(image.values()) < 1:
        raise BadInput(f"expected at least one class and pixel, found {classes} classes and image {image}")
    lite = source == "efficientnet_lite"
    file = Path(file) if file else efficientnet_lite.find()
    mean, std = (efficientnet_lite if lite else torchvision).normalisation(image["channels"])
    spec = {
        "task": "classifier",
        "model": {"name": model, **options, **({"variant": "lite0"} if lite else {}), "dtype": "float32"},
        "classes": [f"class_{i}" for i in range(classes)],
        "image": image,
        "mean": mean,
        "std": std,
    }
    module, x = module_of(spec), jnp.zeros((1, image["height"], image["width"], image["channels"]))
    shapes = jax.eval_shape(module.init, jax.random.key(0), x)
    empty = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
    variables, report = efficientnet_lite.load(empty, file) if lite else torchvision.load(file, model, empty)
    if report.missing:
        raise BadInput(
            f"{file}: {len(report.missing)} leaves are missing, the first is {report.missing[0]}; "
            "is it of another architecture or variant?"
        )
    if report.replaced:
        variables = nest(leaf_names(variables) | drawn(module, x, list(report.replaced)))
    lineage = of_weights(file.name, file_hash(file))
    card = {"source": source, "file": file.name, "report": str(report)}
    return report, weights.write(out, variables, spec=spec, lineage=lineage, card=card)


def drawn(module: Any, x: jax.Array, names: list[str]) -> dict[str, jax.Array]:
    """Return random initial values of some leaves of a network for images like x.

    Only these are compiled; a whole initialisation would take half a minute.
    """

    def some(key: jax.Array) -> dict[str, jax.Array]:
        initial = leaf_names(module.init(key, x))
        return {name: initial[name] for name in names}

    return jax.jit(some)(jax.random.key(0))
