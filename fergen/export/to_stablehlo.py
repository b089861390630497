"""A function with its weights as serialised StableHLO, for any number of images, on CPU, CUDA GPU or TPU.

from jax import export

model = export.deserialize(bytearray(open("model.stablehlo", "rb").read()))
model.call(images)
"""

import base64
from typing import Any

import jax
import numpy as np

from fergen.export.functions import BATCH, Exported

PLATFORMS = ("cpu", "cuda", "tpu")


def to_stablehlo(function: Exported) -> bytes:
    """Serialise a function; all of its inputs are to be given, those with a default too."""
    (batch,) = jax.export.symbolic_shape(BATCH)
    shapes = [
        jax.ShapeDtypeStruct([batch if size == BATCH else size for size in given.shape], given.dtype)
        for given in function.inputs
    ]
    return bytes(jax.export.export(jax.jit(function.call), platforms=PLATFORMS)(*shapes).serialize())


def read(data: bytes) -> Any:
    """Return a serialised function, a jax.export.Exported."""
    return jax.export.deserialize(bytearray(data))


def described(function: Exported) -> list[dict[str, Any]]:
    """Describe the inputs in order; a default is the bytes of little-endian numbers, as base64, of a batch of 1."""
    found = []
    for given in function.inputs:
        one: dict[str, Any] = {"name": given.name, "shape": list(given.shape), "dtype": np.dtype(given.dtype).name}
        if given.default is not None:
            one["default"] = base64.b64encode(np.asarray(given.default, "<f4").tobytes()).decode()
        found.append(one)
    return found
