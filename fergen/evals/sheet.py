"""Samples along training: the same latents under every class, so that pictures of different steps compare."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jax.sharding import Mesh

from fergen.evals import sampling

COLUMNS = 10


def build(
    predict: Mapping[str, Callable], spec: Mapping[str, Any], *, columns: int = COLUMNS, mesh: Mesh | None = None
) -> Callable | None:
    """Return variables -> uint8 [rows, columns, h, w, c], or None for a task that samples nothing.

    Args:
        predict: of a generator: `draw` and `sample`.
        spec: its classes are the rows; an unconditional generator has as many rows of latents of their own.
        columns: latents per row.
        mesh: split the faces over these devices, of all hosts; None for the default device.
    """
    if "sample" not in predict:
        return None
    rows = len(spec["classes"])
    label = np.repeat(np.arange(rows, dtype=np.int32), columns)
    latent = np.tile(np.arange(columns), rows) if spec["conditional"] else np.arange(rows * columns)

    def picture(variables: Any) -> np.ndarray:
        images = sampling.of_rows(predict, spec, variables, latent, label, mesh=mesh)
        return images.reshape(rows, columns, *images.shape[1:])

    return picture
