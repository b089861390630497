"""Passes over a held-out split in batches of one shape, split over the devices of a mesh; the last is padded."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from fergen.core import mesh as meshes
from fergen.data.dataset import Split


class HeldOut:
    """A split on the devices.

    Args:
        split: its images and labels.
        batch: rows per pass; rounded up to a multiple of the devices.
        mesh: devices of all hosts, each of which holds the whole split; None for the default device.

    Attributes:
        images, labels: arguments for a compiled pass.
        n: rows of the split.
    """

    def __init__(self, split: Split, batch: int, mesh: Mesh | None = None):
        self.n, self.mesh = len(split), mesh
        size = mesh.size if mesh else 1
        self.batch = -(-min(batch, self.n) // size) * size
        whole = np.asarray(split.images), np.asarray(split.rows["label"])
        self.images, self.labels = (
            meshes.place(whole, meshes.replicated(mesh)) if mesh else (jnp.asarray(array) for array in whole)
        )

    def starts(self) -> Iterator[np.int32]:
        """Yield the first row of each pass."""
        return map(np.int32, range(0, self.n, self.batch))

    def rows(self, start: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return (row numbers int [batch], mask bool [batch], False for padding) of a pass; inside jit."""
        rows = start + jnp.arange(self.batch)
        if self.mesh:
            rows = jax.lax.with_sharding_constraint(rows, meshes.split(self.mesh))
        return jnp.minimum(rows, self.n - 1), rows < self.n
