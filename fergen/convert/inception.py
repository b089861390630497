"""Weights of the Inception v3 that FID is defined on, from the usual PyTorch copy of the published graph."""

from pathlib import Path
from typing import Any

from fergen.convert import tables
from fergen.convert.match import Report, lay

# The name under which FID implementations hand the copy around; the graph itself bears the same date.
FILE = "pt_inception-2015-12-05-6726825d.pth"
# How images come to the size that the graph reads; see `fergen.models.inception_v3.tf1_bilinear`.
RESIZE = "tf1_bilinear"


def load(variables: Any, path: str | Path) -> tuple[dict, Report]:
    """Read the weights over variables of `inception_v3` as initialised.

    Args:
        variables: with three channels and 1,008 classes, the network's own.
        path: .pth, .pt, .safetensors or .npz of a state dict with the copy's names.

    Returns:
        The variables, and what became of each leaf.

    Raises:
        BadInput: unreadable, or of another architecture. The Inception v3 of today's model libraries has the same names
            but other weights and 1,000 classes: it is refused by its head.
    """
    return lay(tables.read(path), variables, foreign_module, stem=(), head=(), where=str(path))


def foreign_module(module: str) -> str:
    """Name our module as the copy does: 'Mixed_5b/branch5x5_1/conv' is 'Mixed_5b.branch5x5_1.conv'."""
    return module.replace("/", ".")


def normalisation(channels: int) -> tuple[list[float], list[float]]:
    """Return the mean and std that these weights expect of images in [-1, 1].

    The graph reads (pixel - 128) / 128 in each channel; pixel = 127.5 (image + 1).
    """
    return [0.5 / 127.5] * channels, [128 / 127.5] * channels
