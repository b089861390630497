"""The network that a spec describes, from the file of fergen/models that it names."""

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp

from fergen.core.errors import BadInput


def network_of(spec: Mapping[str, Any], *, without: Sequence[str] = (), **more: Any) -> Any:
    """Build the network, or the tuple of networks, that a spec describes.

    Args:
        spec: its `model` holds the name, the type of the computation and the options of the model's `build`.
        without: options that are the task's own.
        **more: what the model's `build` takes beside options and number of classes.

    Raises:
        BadInput: no such model, or an option that it does not have.
    """
    options = {option: value for option, value in spec["model"].items() if option not in without}
    name, dtype = options.pop("name"), jnp.dtype(options.pop("dtype", "float32"))
    try:
        model = importlib.import_module(f"fergen.models.{name}")
    except ModuleNotFoundError:
        raise BadInput(f"model '{name}': expected the name of a file in fergen/models, found none such") from None
    try:
        return model.build(num_classes=len(spec["classes"]), dtype=dtype, **more, **options)
    except TypeError as error:
        raise BadInput(f"model '{name}': {error}") from None


def image_of(spec: Mapping[str, Any]) -> tuple[int, int, int]:
    """Return height, width and channels of a spec's images."""
    size = spec["image"]
    return size["height"], size["width"], size["channels"]
