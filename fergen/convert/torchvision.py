"""ImageNet weights under torchvision's names, for resnet, mobilenet, efficientnet and vgg."""

import importlib
import re
from pathlib import Path
from typing import Any

from fergen.convert import tables
from fergen.convert.match import Report, lay

# What these networks were trained on: (pixel / 255 - mean) / std per channel (R, G, B).
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def load(path: str | Path, model_name: str, variables: Any) -> tuple[dict, Report]:
    """Read a state dict with torchvision's names over initialised variables.

    Args:
        path: .safetensors, .npz, .pth or .pt.
        model_name: a file of fergen/models whose modules carry torchvision's names.
        variables: of the network as initialised, with its own channels and classes.

    Returns:
        The variables, and what became of each leaf; the first convolution is summed for gray images, and a head of
        another class count keeps its initial values.

    Raises:
        BadInput: unreadable, or of another architecture.
    """
    model = importlib.import_module(f"fergen.models.{model_name}")
    table = tables.read(path)
    return lay(table, variables, foreign_module, stem=model.STEM, head=model.HEAD, where=str(path))


def foreign_module(module: str) -> str:
    """Name our module as torchvision does: 'layer1_0/downsample_1' is 'layer1.0.downsample.1'."""
    return re.sub(r"_(?=\d)", ".", module.replace("/", "."))


def normalisation(channels: int) -> tuple[list[float], list[float]]:
    """Return the mean and std that these weights expect of images in [-1, 1].

    Gray images stand for three equal channels; their one mean and std are the averages of the three.
    """
    mean = [2 * m - 1 for m in MEAN]
    std = [2 * s for s in STD]
    return (mean, std) if channels == 3 else ([sum(mean) / 3], [sum(std) / 3])
