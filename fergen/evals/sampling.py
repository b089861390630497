"""Faces from a generator by row number: row i's latent is drawn from fold_in(key, i), whatever batch it is in.

So a set of faces can be continued, cut or split over machines, and each of its rows stays the same face.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from fergen.core import mesh as meshes
from fergen.core import target
from fergen.core.arrays import to_uint8
from fergen.core.keys import named

BATCH = 256


def samples(
    predict: Mapping[str, Callable],
    spec: Mapping[str, Any],
    variables: Any,
    rows: np.ndarray,
    labels: np.ndarray,
    *,
    seed: int = 0,
    batch: int = BATCH,
    mesh: Mesh | None = None,
    advance: Callable[[int], None] | None = None,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Generate faces, batch by batch; the device is at work on the next batch while the caller is on this one.

    Args:
        predict: of a generator: `draw(key)`, `sample(variables, latents, labels)`, and for those that integrate
            `sample_step(variables, x, i, labels)`, and `sample_end(variables, x, labels)` where x is no image then.
        spec: of the generator; its `sampler` says how many steps.
        variables: its arrays.
        rows: int [n], row numbers in [0, 2^31); equal numbers have equal latents.
        labels: int [n], classes; an unconditional generator takes no notice of them.
        seed: of the latents.
        batch: faces per compiled call, at most; rounded up to a multiple of the devices. The last is filled up with
            copies of its last row, which are cut off.
        mesh: split each batch over these devices, of all hosts; None for the default device.
        advance: called with the number of faces done since the last call.

    Yields:
        (row numbers int [b], images uint8 [b, h, w, c]) in the order of the rows; on every host all of them.
    """
    if len(rows) != len(labels):
        raise ValueError(f"expected a label for each row, found {len(labels)} for {len(rows)}")
    if not len(rows):
        return
    size = mesh.size if mesh else 1
    batch = -(-min(batch, len(rows)) // size) * size
    variables = meshes.place(variables, meshes.replicated(mesh)) if mesh else jax.device_put(variables)
    key = latent_key(seed)
    pending: list[tuple[np.ndarray, jax.Array]] = []
    for start in range(0, len(rows), batch):
        part = slice(start, start + batch)
        filled = [_filled(x[part], batch) for x in (rows, labels)]
        index, label = (meshes.place(x, meshes.replicated(mesh)) if mesh else jax.device_put(x) for x in filled)
        drawn = _draw(predict["draw"], mesh, key, index)
        images = _faces(predict, spec, variables, drawn, label, mesh)
        pending.append((rows[part], images))
        if len(pending) > 1:
            yield _finished(*pending.pop(0), advance)
    yield _finished(*pending.pop(), advance)


def latent_key(seed: int) -> jax.Array:
    """Return the key that latents are drawn from: `draw(fold_in(latent_key(seed), row))` is a row's latent."""
    # The generator of numbers is named, for a row is to be the same face whatever jax's default is.
    return named(jax.random.key(seed, impl="threefry2x32"), "latent")


def latents(predict: Mapping[str, Callable], rows: np.ndarray, *, seed: int = 0) -> jax.Array:
    """Draw the latents [n, *latent] of rows, by their numbers."""
    return _draw(predict["draw"], None, latent_key(seed), rows)


def of_rows(
    predict: Mapping[str, Callable],
    spec: Mapping[str, Any],
    variables: Any,
    rows: np.ndarray,
    labels: np.ndarray,
    **options: Any,
) -> np.ndarray:
    """Generate faces all at once: takes what `samples` takes, n at least 1; returns uint8 [n, h, w, c]."""
    return np.concatenate([images for _, images in samples(predict, spec, variables, rows, labels, **options)])


def of_latents(
    predict: Mapping[str, Callable],
    spec: Mapping[str, Any],
    variables: Any,
    latents: np.ndarray,
    labels: np.ndarray,
    *,
    batch: int = BATCH,
) -> np.ndarray:
    """Generate the faces of given latents float32 [n, *latent], n at least 1; otherwise as `of_rows`."""
    variables, found = jax.device_put(variables), []
    for start in range(0, len(latents), batch):
        part = slice(start, start + batch)
        found.append(np.asarray(_faces(predict, spec, variables, latents[part], labels[part], None)))
    return np.concatenate(found)


def _faces(predict, spec, variables: Any, latents, labels, mesh: Mesh | None) -> jax.Array:
    """Return uint8 images of latents [b, *latent] and labels [b]; on every host all of them."""
    # XLA's CPU backend runs the body of a loop inside jit on one core: there the steps are calls.
    if "sample_step" not in predict or target.platform() != "cpu":
        return _quantise(_apply(predict["sample"], variables, latents, labels), mesh)
    x = latents
    for i in range(spec["sampler"]["steps"]):
        x = _apply(predict["sample_step"], variables, x, np.int32(i), labels)
    # What the steps of a search carry is no image yet.
    if "sample_end" in predict:
        x = _apply(predict["sample_end"], variables, x, labels)
    return _quantise(x, mesh)


@partial(jax.jit, static_argnums=(0, 1))
def _draw(draw: Callable, mesh: Mesh | None, key: jax.Array, rows: jax.Array) -> jax.Array:
    if mesh is not None:
        rows = jax.lax.with_sharding_constraint(rows, meshes.split(mesh))
    return jax.vmap(lambda row: draw(jax.random.fold_in(key, row)))(rows)


@partial(jax.jit, static_argnums=0)
def _apply(function: Callable, *args: Any) -> jax.Array:
    return function(*args)


@partial(jax.jit, static_argnums=1)
def _quantise(images: jax.Array, mesh: Mesh | None) -> jax.Array:
    images = to_uint8(images)
    # Every host gets every row, in order.
    return images if mesh is None else jax.lax.with_sharding_constraint(images, meshes.replicated(mesh))


def _filled(values: np.ndarray, batch: int) -> np.ndarray:
    values = np.asarray(values, np.int32)
    return np.concatenate([values, np.repeat(values[-1:], batch - len(values))])


def _finished(rows: np.ndarray, images: jax.Array, advance: Callable | None) -> tuple[np.ndarray, np.ndarray]:
    found = np.asarray(images)[: len(rows)]
    if advance:
        advance(len(rows))
    return rows, found
