"""Official StyleGAN2-ADA networks as weights of ours, and weights of ours under the official names."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from safetensors.numpy import save

from fergen.convert import stylegan2
from fergen.convert.stylegan2_names import theirs
from fergen.core.errors import BadInput
from fergen.core.lineage import of_weights
from fergen.core.paths import atomic_write, file_hash
from fergen.core.tree import count
from fergen.nn.fir import normalised
from fergen.tasks.stylegan2_nets import NETS, by_collection, networks_of, part, shapes_of
from fergen.train import weights
from fergen.train.restore import restore

# Latents whose styles make a class's mean.
STYLES = 4096


def convert(file: str | Path, out: str | Path, classes: Sequence[str] | None = None) -> tuple[list[str], str]:
    """Convert a snapshot or a legacy pickle to weights of ours.

    Args:
        file: see `fergen.convert.stylegan2.read`.
        out: what to write, ending in .safetensors.
        classes: names of the labels; None for class_0, class_1, ...

    Returns:
        What was found, a line each; and the hash of the weights.

    Raises:
        BadInput: as `fergen.convert.stylegan2.read`, or the arrays do not fit the networks that the file describes.
    """
    file, out = Path(file), Path(out)
    if out.suffix != ".safetensors":
        raise BadInput(f"{out}: expected a name ending in .safetensors")
    found = stylegan2.read(file, classes)
    spec, variables = found.spec, by_collection(found.variables)
    variables = {kind: tree for kind, tree in variables.items() if any(tree.values())}
    variables["buffers"] = {"generator": variables["buffers"]["generator"]}
    stylegan2.require_whole(variables, shapes_of(spec), str(file))
    if spec["conditional"]:
        variables["buffers"]["generator"]["mapping"]["w_avg_class"] = class_means(spec, variables)
    lines = describe(found, variables)
    card = {"source": "stylegan2", "file": file.name, "report": "\n".join(lines)}
    lineage = of_weights(file.name, file_hash(file))
    return lines, weights.write(out, variables, spec=spec, lineage=lineage, card=card)


def class_means(spec: dict[str, Any], variables: dict[str, Any]) -> np.ndarray:
    """Return the mean style of each class, float32 [classes, w], over latents that are always the same.

    The reference code keeps one mean for all classes.
    """
    networks, own = networks_of(spec), part(variables, "generator", "mapping")
    z = jax.random.normal(jax.random.key(0, impl="threefry2x32"), (STYLES, networks.mapping.z))

    @jax.jit
    def mean(params: Any, label: jax.Array) -> jax.Array:
        labels = jnp.broadcast_to(label, (STYLES, len(label)))
        return networks.mapping.apply({"params": params}, z, labels).mean(0)

    return np.stack([np.asarray(mean(own["params"], label)) for label in np.eye(networks.mapping.classes)])


def describe(found: stylegan2.Official, variables: dict[str, Any]) -> list[str]:
    """Say what a file held."""
    model, image = found.spec["model"], found.spec["image"]
    classes = (
        f"{len(found.spec['classes'])}: {', '.join(found.spec['classes'])}" if found.spec["conditional"] else "none"
    )
    counts = {net: count(variables["params"][net]) for net in NETS}
    critic = f"architecture {model['discriminator']}, {counts['discriminator']:,} parameters"
    return [
        f"found       {found.form}",
        f"images      {image['height']}x{image['width']}, channels: {image['channels']}",
        f"classes     {classes}",
        f"latents     z {model['z_dim']}, w {model['w_dim']}, mapping of {model['mapping_layers']} layers",
        f"generator   architecture {model['synthesis']}, {counts['generator']:,} parameters",
        f"critic      {critic}, labels through {model['label_layers']} layers",
    ]


def write_official(reference: str, out: str | Path) -> int:
    """Write a StyleGAN2 of ours as a state dict with the official names; returns the number of arrays.

    Args:
        reference: see `fergen.train.restore.restore`.
        out: ends in .npz or .safetensors. Names begin with `G_ema.` and `D.`.

    Raises:
        BadInput: no such weights, other weights than StyleGAN2's, another ending, or a size that the official code does
            not know.
    """
    net, out = restore(reference), Path(out)
    if net.spec["task"] != "stylegan2":
        raise BadInput(f"weights '{reference}': expected a stylegan2, found a {net.spec['task']}")
    size = net.spec["image"]["height"]
    if size & (size - 1):
        raise BadInput(f"weights '{reference}': the official code takes powers of two, and these are {size} pixels")
    model = net.spec["model"]
    taps = {
        "G_ema": model["resample_filter"],
        "D": model.get("different", {}).get("resample_filter", model["resample_filter"]),
    }
    state = {}
    for theirs_name, name in (("G_ema", "generator"), ("D", "discriminator")):
        own = theirs(part(net.variables, name), normalised(taps[theirs_name]), discriminator=name == "discriminator")
        state |= {f"{theirs_name}.{key}": np.asarray(value, order="C") for key, value in own.items()}
    if out.suffix == ".npz":
        np.savez(out, **state)
    elif out.suffix == ".safetensors":
        atomic_write(out, save(state))
    else:
        raise BadInput(f"{out}: expected a name ending in .npz or .safetensors")
    return len(state)
