"""The one place that builds a device mesh: one axis, `data`, over which batches are split."""

from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from fergen.core import target
from fergen.core.errors import BadInput


def build(devices: list | None = None) -> Mesh:
    """Return a mesh of all devices that programs are made for (or the given ones) with the axis `data`.

    The axis is Auto: jit places the collectives, so BatchNorm sees the global batch and gradients are averaged.
    """
    devices = target.devices() if devices is None else devices
    return Mesh(np.asarray(devices), ("data",), axis_types=(AxisType.Auto,))


def replicated(mesh: Mesh) -> NamedSharding:
    """Return the sharding that keeps a whole copy on every device."""
    return NamedSharding(mesh, PartitionSpec())


def split(mesh: Mesh, leading: int = 0) -> NamedSharding:
    """Return the sharding that splits axis number `leading` over `data`."""
    return NamedSharding(mesh, PartitionSpec(*([None] * leading), "data"))


def require_divisible(batch: int, mesh: Mesh) -> None:
    """Check that the global batch divides by the devices.

    Raises:
        BadInput: it does not.
    """
    if batch % mesh.size:
        raise BadInput(f"batch size {batch} does not divide by {mesh.size} devices; take a multiple of {mesh.size}")


def place(tree: Any, sharding: NamedSharding) -> Any:
    """Put host arrays on the mesh; each host gives its own slice of what is split, and all of what is replicated.

    On devices that are only described nothing is put: what comes back are shapes with their sharding.
    """
    if target.is_described():
        return jax.tree.map(lambda x: shape_of(x, sharding), tree)
    if jax.process_count() == 1:
        return jax.device_put(tree, sharding)
    return jax.tree.map(lambda x: jax.make_array_from_process_local_data(sharding, np.asarray(x)), tree)


def shape_of(x: Any, sharding: NamedSharding) -> jax.ShapeDtypeStruct:
    """Return the shape and type that an array would have on the mesh."""
    return jax.ShapeDtypeStruct(x.shape, jax.dtypes.canonicalize_dtype(x.dtype), sharding=sharding)
