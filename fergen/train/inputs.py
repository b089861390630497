"""Training input: the whole set on the device, or streamed by the host; both give the same batches for a seed."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fergen.core import mesh as meshes
from fergen.core.errors import BadInput
from fergen.data import order, poisson
from fergen.data.dataset import Split

# Rows that a step may read; the rest (votes, twins) is for evaluation.
ROWS = ("label", "soft", "weight")


class Resident:
    """Images and rows as uint8 on every device; a block is row numbers alone, and a batch a gather inside jit.

    Args:
        split: what to train on.
        batch: global batch size.
        seed: of the sample order.
        mesh: the device mesh.
        balance: draw classes with equal probability.
    """

    def __init__(self, split: Split, *, batch: int, seed: int, mesh, balance: bool = False):
        self.batch, self.seed, self.mesh, self.n = batch, seed, mesh, len(split)
        self.labels = np.asarray(split.rows["label"]) if balance else None
        rows = {name: np.asarray(split.rows[name]) for name in ROWS if name in split.rows}
        self.arrays = meshes.place({"image": np.asarray(split.images), **rows}, meshes.replicated(mesh))
        self.spec = {k: jax.ShapeDtypeStruct((batch, *v.shape[1:]), v.dtype) for k, v in self.arrays.items()}

    def block(self, step: int, k: int) -> Any:
        """Return the row numbers of k batches from `step`: int32 [k, batch], split over the devices."""
        rows = order.indices(self.seed, self.n, self.batch, step, k, balance=self.labels)
        rows = order.host_slice(rows, jax.process_index(), jax.process_count())
        return meshes.place(rows, meshes.split(self.mesh, leading=1))

    def read(self, arrays: dict, item: Any) -> dict[str, jax.Array]:
        """Gather one batch on the device, by its row numbers; inside jit."""
        gathered = {name: jnp.take(values, item, axis=0) for name, values in arrays.items()}
        return jax.lax.with_sharding_constraint(gathered, meshes.split(self.mesh))


class Sampled(Resident):
    """Resident rows of which each joins a batch by its own coin: see `fergen.data.poisson`.

    Args:
        split: what to train on.
        batch: rows of a batch in the mean.
        steps: of the whole run, in none of which a batch is to exceed its places.
        seed: of the coins.
        mesh: the device mesh.
    """

    def __init__(self, split: Split, *, batch: int, steps: int, seed: int, mesh):
        self.expected = batch
        super().__init__(split, batch=poisson.capacity(len(split), batch, steps, mesh.size), seed=seed, mesh=mesh)
        self.spec["mask"] = jax.ShapeDtypeStruct((self.batch,), np.float32)

    def block(self, step: int, k: int) -> dict[str, jax.Array]:
        """Return row numbers int32 [k, places] and mask float32 [k, places] of k batches from `step`."""
        rows, mask = poisson.indices(self.seed, self.n, self.expected, self.batch, step, k)
        mine = {"rows": rows, "mask": mask}
        mine = {n: order.host_slice(x, jax.process_index(), jax.process_count()) for n, x in mine.items()}
        return meshes.place(mine, meshes.split(self.mesh, leading=1))

    def read(self, arrays: dict, item: dict[str, jax.Array]) -> dict[str, jax.Array]:
        """Gather one batch on the device, with its mask; inside jit."""
        return {**super().read(arrays, item["rows"]), "mask": item["mask"]}


class Streamed:
    """Batches read from ArrayRecord shards by grain, for sets that do not fit on the device.

    The order is the resident one's, so a run may change from one to the other.
    """

    def __init__(self, split: Split, *, batch: int, seed: int, mesh, balance: bool = False):
        from fergen.data import stream

        self.mesh, self.arrays, self.n = mesh, {}, len(split)
        labels = np.asarray(split.rows["label"]) if balance else None
        hosts, host = jax.process_count(), jax.process_index()
        self.open = lambda step: iter(
            stream.batches(split, batch=batch, seed=seed, start=step, balance=labels, host=host, hosts=hosts)
        )
        self.position, self.iterator = -1, None
        image = jax.ShapeDtypeStruct((batch, *split.spec.image_shape), np.uint8)
        rows = {n: split.rows[n] for n in ROWS if n in split.rows}
        self.spec = {
            "image": image,
            **{n: jax.ShapeDtypeStruct((batch, *v.shape[1:]), v.dtype) for n, v in rows.items()},
        }

    def block(self, step: int, k: int) -> dict[str, jax.Array]:
        """Return k batches from `step`, stacked: image uint8 [k, batch, h, w, c], label int32 [k, batch], ..."""
        if self.iterator is None or step != self.position:
            self.iterator = self.open(step)
        batches = [next(self.iterator) for _ in range(k)]
        self.position = step + k
        stacked = {name: np.stack([b[name] for b in batches]) for name in self.spec}
        return meshes.place(stacked, meshes.split(self.mesh, leading=1))

    def read(self, arrays: dict, batch: dict[str, Any]) -> dict[str, jax.Array]:
        """Return the batch as it is; the host has read it."""
        return batch


def build(config, split: Split, mesh, *, steps: int, private: bool = False) -> Resident | Streamed:
    """Return the input of a config: `config.data.stream` chooses.

    Args:
        config: fields batch_size, seed, data.
        split: what to train on.
        mesh: the device mesh.
        steps: of the whole run.
        private: whether each row joins a batch by its own coin.

    Raises:
        BadInput: the batch does not divide by the devices, or exceeds the set.
    """
    if len(split) == 0:
        raise BadInput(f"data set {split.spec.name}: split '{split.name}' has no rows")
    if private:
        return Sampled(split, batch=config.batch_size, steps=steps, seed=config.seed, mesh=mesh)
    meshes.require_divisible(config.batch_size, mesh)
    kind = Streamed if config.data.stream else Resident
    return kind(split, batch=config.batch_size, seed=config.seed, mesh=mesh, balance=config.data.balance)
