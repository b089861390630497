"""Official StyleGAN2-ADA networks as ours, and ours under the official names."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fergen.convert import stylegan2_legacy, stylegan2_pickle
from fergen.convert.stylegan2_names import ours
from fergen.core.errors import BadInput
from fergen.core.tree import leaf_names

# Position -> name, of arguments that a constructor was given without their names.
POSITIONS = {
    "Generator": ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels"),
    "Discriminator": ("c_dim", "img_resolution", "img_channels"),
}


class Official(NamedTuple):
    """What a file held.

    Attributes:
        spec: of our task.
        variables: net -> collection -> tree.
        form: of the file, in words.
    """

    spec: dict[str, Any]
    variables: dict[str, dict[str, Any]]
    form: str


def read(path: str | Path, classes: Sequence[str] | None = None) -> Official:
    """Read a snapshot of the PyTorch code, or a network pickle of the TensorFlow code.

    The generator is the moving average where there is one.

    Args:
        path: the file.
        classes: names of the labels, in their order; None for class_0, class_1, ...

    Raises:
        BadInput: the file is damaged or asks for what has no place there, a network is of a kind that ours is not, or
            the names are not as many as the labels.
    """
    where, found = str(path), stylegan2_pickle.read(path)
    try:
        if isinstance(found, dict) and isinstance(found.get("G_ema"), stylegan2_pickle.Object):
            states, given = of_snapshot(found)
            form = "snapshot of the PyTorch code"
        elif isinstance(found, tuple) and len(found) == 3 and isinstance(found[2], stylegan2_pickle.Network):
            states, given = of_networks(found, where)
            form = "networks of the TensorFlow code"
        else:
            raise ValueError("it holds no networks")
        spec = spec_of(*given, classes, where)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{where}: expected a StyleGAN2 snapshot, found another pickle ({error})") from None
    variables = {name: ours(state) for name, state in zip(("generator", "discriminator"), states)}
    return Official(spec, variables, form)


def of_snapshot(found: dict[str, Any]) -> tuple[tuple[dict, dict], tuple[dict, dict]]:
    """Return state dicts and constructor arguments of generator and discriminator."""
    average, critic = found["G_ema"], found["D"]
    states = (stylegan2_pickle.tensors(average), stylegan2_pickle.tensors(critic))
    return states, (arguments_of(average), arguments_of(critic))


def arguments_of(net: stylegan2_pickle.Object) -> dict[str, Any]:
    """Return what the outermost constructor of a network was given."""
    if net.name not in POSITIONS:
        raise ValueError(f"a network of class {net.name}; known are {', '.join(POSITIONS)}")
    named, positional = net.state.get("_init_kwargs", {}), net.state.get("_init_args", ())
    if len(positional) > len(POSITIONS[net.name]):
        raise ValueError(f"{net.name} with {len(positional)} arguments")
    return {**dict(zip(POSITIONS[net.name], positional)), **named}


def of_networks(found: tuple, where: str) -> tuple[tuple[dict, dict], tuple[dict, dict]]:
    """Return state dicts and constructor arguments of the averaged generator and the discriminator."""
    _, critic, average = found
    if any(net.state.get("version", 0) < 4 for net in (critic, average)):
        raise ValueError("a network of a version before 4")
    variables = [(name, array(value)) for name, value in average.state["variables"]]
    for part, component in average.state.get("components", {}).items():
        variables += [(f"{part}/{name}", array(value)) for name, value in component.state["variables"]]
    states = (
        stylegan2_legacy.generator(variables, where),
        stylegan2_legacy.discriminator([(name, array(value)) for name, value in critic.state["variables"]], where),
    )
    generator = stylegan2_legacy.arguments(average.state["static_kwargs"], "generator")
    # Colours of every resolution, or of the last alone: "orig" of the older code, which its converter calls so too.
    if any("ToRGB_lod" in name for name, _ in variables):
        raise ValueError("the architecture 'orig' of the older code, whose colours are named by level of detail")
    return states, (generator, stylegan2_legacy.arguments(critic.state["static_kwargs"], "discriminator"))


def array(value: Any) -> np.ndarray:
    """Return the values of a pickled array."""
    if not isinstance(value, stylegan2_pickle.Array) or value.values is None:
        raise ValueError(f"a variable that is a {type(value).__name__}")
    return value.values


def spec_of(g: Mapping[str, Any], d: Mapping[str, Any], classes: Sequence[str] | None, where: str) -> dict[str, Any]:
    """Return our spec of networks of these constructor arguments."""
    labels, size, channels = int(g["c_dim"]), int(g["img_resolution"]), int(g["img_channels"])
    if (labels, size, channels) != tuple(int(d[name]) for name in ("c_dim", "img_resolution", "img_channels")):
        raise ValueError("generator and discriminator of different images or labels")
    if classes is not None and len(classes) != labels:
        raise BadInput(f"{where}: expected names of its {labels} labels, found {len(classes)}: {', '.join(classes)}")
    s, m, dm = g.get("synthesis_kwargs", {}), g.get("mapping_kwargs", {}), d.get("mapping_kwargs", {})
    block, epilogue = d.get("block_kwargs", {}), d.get("epilogue_kwargs", {})
    for part in (m, dm):
        for name in ("embed_features", "layer_features"):
            if part.get(name) not in (None, g["w_dim"] if part is m else d.get("cmap_dim")):
                raise ValueError(f"a mapping network with {name}={part[name]}")
    own = options_of(s, s)
    different = {name: value for name, value in options_of(d, block).items() if value != own[name]}
    names = list(classes) if classes else [f"class_{i}" for i in range(labels)]
    return {
        "task": "stylegan2",
        "model": {
            "name": "stylegan2",
            "z_dim": int(g["z_dim"]),
            "w_dim": int(g["w_dim"]),
            "mapping_layers": int(m.get("num_layers", 8)),
            "mapping_lr": float(m.get("lr_multiplier", 0.01)),
            "label_layers": int(dm.get("num_layers", 8)),
            "label_lr": float(dm.get("lr_multiplier", 0.01)),
            "synthesis": s.get("architecture", "skip"),
            "discriminator": d.get("architecture", "resnet"),
            "noise": bool(s.get("use_noise", True)),
            "mbstd_group_size": int(epilogue.get("mbstd_group_size") or 0),
            "mbstd_num_channels": int(epilogue.get("mbstd_num_channels", 1)),
            "cmap_dim": int(d.get("cmap_dim") or 0),
            **own,
            "different": different,
            "dtype": "float32",
        },
        "classes": names or ["face"],
        "image": {"height": size, "width": size, "channels": channels},
        "nets": ["generator", "discriminator"],
        "latent": [int(g["z_dim"])],
        "conditional": labels > 0,
        "prior": [1 / len(names)] * len(names) if names else [1.0],
        "sampler": {"truncation": 1.0, "cutoff": 0, "centre": "all", "noise": "const"},
    }


def options_of(sizes: Mapping[str, Any], block: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of synthesis network or discriminator that each has of its own."""
    clamp, taps = sizes.get("conv_clamp"), block.get("resample_filter", [1, 3, 3, 1])
    return {
        "channel_base": int(sizes.get("channel_base", 32768)),
        "channel_max": int(sizes.get("channel_max", 512)),
        "num_fp16_res": int(sizes.get("num_fp16_res", 0)),
        "conv_clamp": None if clamp is None else float(clamp),
        "resample_filter": [float(tap) for tap in taps],
        "activation": block.get("activation", "lrelu"),
    }


def require_whole(variables: Any, shapes: Any, where: str) -> None:
    """Check that a file's arrays are those of the network that its arguments describe.

    Raises:
        BadInput: one is missing, left over, or of another shape.
    """
    found, wanted = leaf_names(variables), leaf_names(shapes)
    wanted = {name: leaf for name, leaf in wanted.items() if not name.endswith("w_avg_class")}
    for name in [*wanted, *found]:
        shape = tuple(found[name].shape) if name in found else "none"
        expected = tuple(wanted[name].shape) if name in wanted else "none"
        if shape != expected:
            raise BadInput(f"{where}: {name}: expected shape {expected} by the network's arguments, found {shape}")
