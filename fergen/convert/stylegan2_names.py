"""StyleGAN2's weights under the names of official state dicts, and as our networks hold them.

The names differ in two places. What the reference calls `weight` is `kernel` here, with input before output and windows
first; and its buffers, the constant noise and the mean style, are a collection of their own. Its resampling filters are
no weights: a model's `taps` say them.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from fergen.core.errors import BadInput
from fergen.core.tree import leaf_names

BUFFERS = ("noise_const", "w_avg", "w_avg_class")
# Layers that hold the filter, whether they use it or not.
RESAMPLED = ("conv0", "conv1", "skip", "fromrgb", "conv")


def ours(state: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Return {"params": tree, "buffers": tree} of an official state dict, bit for bit.

    Args:
        state: dotted name -> array, of a generator or a discriminator.

    Raises:
        BadInput: an array's shape does not fit its name.
    """
    variables: dict[str, Any] = {"params": {}, "buffers": {}}
    for name, value in state.items():
        *path, leaf = name.split(".")
        if leaf == "resample_filter":
            continue
        tree = variables["buffers" if leaf in BUFFERS else "params"]
        for part in path:
            tree = tree.setdefault(part, {})
        if leaf == "weight":
            if value.ndim not in (2, 4):
                raise BadInput(f"{name}: expected a matrix or a convolution's kernel, found shape {value.shape}")
            # Contiguous, so that the file's own arrays can go before the weights are written.
            tree["kernel"] = np.ascontiguousarray(value.T if value.ndim == 2 else value.transpose(2, 3, 1, 0))
        else:
            tree[leaf] = value.transpose(1, 2, 0) if leaf == "const" and value.ndim == 3 else value
    return variables


def theirs(variables: Mapping[str, Any], taps: np.ndarray, *, discriminator: bool) -> dict[str, np.ndarray]:
    """Return the official state dict of our variables, bit for bit: the inverse of `ours`.

    Mean styles by class, which the reference code does not have, are left out.

    Args:
        variables: of a generator or a discriminator, by collection.
        taps: of its resampling filter, from `fergen.nn.fir.normalised`.
        discriminator: which of the two it is.
    """
    plane = np.outer(taps, taps) if taps.ndim == 1 and len(taps) < 8 else taps
    state, blocks = {}, set()
    for kind in ("params", "buffers"):
        for path, value in leaf_names(variables.get(kind, {})).items():
            *parents, leaf = path.split("/")
            value = np.asarray(value)
            if leaf == "kernel":
                value = value.T if value.ndim == 2 else value.transpose(3, 2, 0, 1)
            elif leaf == "const":
                value = value.transpose(2, 0, 1)
            if leaf != "w_avg_class":
                state[".".join([*parents, "weight" if leaf == "kernel" else leaf])] = value
            if leaf == "kernel" and parents[-1] in RESAMPLED:
                state[".".join([*parents, "resample_filter"])] = plane.astype(np.float32)
            blocks |= {".".join(parents[: i + 1]) for i, part in enumerate(parents) if re.fullmatch(r"b\d+", part)}
    lowest = min(blocks, key=lambda name: int(name.rpartition("b")[2]), default="")
    for block in blocks - ({lowest} if discriminator else set()):
        state[f"{block}.resample_filter"] = plane.astype(np.float32)
    return state
