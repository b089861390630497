"""A generator's faces for the eye: the same latents under every emotion, and ways between latents."""

import dataclasses
import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from fergen.core.errors import BadInput
from fergen.data.vocabulary import canonical, is_known
from fergen.evals import sampling
from fergen.latent.interpolation import spherical
from fergen.train.restore import Restored, restore


def generator(reference: str, **sampler: Any) -> Restored:
    """Restore a generator, some of its sampler's options replaced.

    Args:
        reference: see `fergen.train.restore.restore`.
        **sampler: fields of `spec["sampler"]`: steps, guidance, interval, name, truncation; None stands for not given.

    Raises:
        BadInput: no such weights, no generator, or one without such an option.
    """
    found = restore(reference)
    if "sample" not in found.predict:
        raise BadInput(f"weights '{reference}': expected a generator, found a {found.spec['task']}")
    given = {key: value for key, value in sampler.items() if value is not None}
    own = found.spec.get("sampler") or {}
    for key in given:
        if key not in own:
            has = ", ".join(own) or "none: it samples in one step"
            raise BadInput(f"weights '{reference}', a {found.spec['task']}, have no sampler option {key}; there: {has}")
    if not given:
        return found
    spec = {**found.spec, "sampler": {**own, **given}}
    predict = importlib.import_module(f"fergen.tasks.{spec['task']}").predict_of(spec)
    return dataclasses.replace(found, spec=spec, predict=predict)


def emotions(spec: Mapping[str, Any]) -> list[str]:
    """Return the classes that a generator can be asked for; of an unconditional one, the one it learned, if one."""
    if spec["conditional"]:
        return list(spec["classes"])
    return [name for name, share in zip(spec["classes"], spec["prior"]) if share == 1]


def chosen(spec: Mapping[str, Any], names: Sequence[str] | None) -> list[str]:
    """Resolve names of emotions, synonyms among them, to classes of a generator; None is all of them.

    Raises:
        BadInput: the generator does not know one.
    """
    there = emotions(spec)
    found = []
    for name in there if names is None else names:
        wanted = canonical(name) if name not in there and is_known(name) else name
        if wanted not in there:
            has = f"this generator has: {', '.join(there)}" if there else "this generator is unconditional"
            raise BadInput(f"unknown emotion '{name}': {has}")
        if wanted in found:
            raise BadInput(f"emotion '{wanted}' is given twice")
        found.append(wanted)
    return found


def grid(net: Restored, classes: Sequence[str] | None = None, *, columns: int = 10, seed: int = 0, batch: int = 256):
    """Generate a row of faces per emotion; the faces of a column share their latent.

    Args:
        net: from `generator`.
        classes: the rows; None is all. An unconditional generator fills as many rows with latents of their own.
        columns: latents, numbered as rows of a synthetic set are: column j's is that of its row j.
        seed: of the latents.
        batch: faces per compiled call, at most.

    Returns:
        uint8 [rows, columns, h, w, c].
    """
    rows, label = rows_of(net.spec, chosen(net.spec, classes))
    label = np.repeat(label, columns)
    latent = np.tile(np.arange(columns), rows) if net.spec["conditional"] else np.arange(rows * columns)
    images = sampling.of_rows(net.predict, net.spec, net.variables, latent, label, seed=seed, batch=batch)
    return images.reshape(rows, columns, *images.shape[1:])


def interpolation(
    net: Restored, classes: Sequence[str] | None = None, *, columns: int = 10, seed: int = 0, batch: int = 256
) -> np.ndarray:
    """Generate the faces between two latents, spherically, in a row per emotion.

    Args:
        net: from `generator`; its latents are Gaussian.
        classes: the rows, which share their latents; None is all. An unconditional generator has a pair for each row.
        columns: faces from one latent to the other, both among them.
        seed: of the latents.
        batch: faces per compiled call, at most.

    Returns:
        uint8 [rows, columns, h, w, c].
    """
    rows, label = rows_of(net.spec, chosen(net.spec, classes))
    pairs = 1 if net.spec["conditional"] else rows
    key = sampling.latent_key(seed)
    ends = jax.vmap(lambda row: net.predict["draw"](jax.random.fold_in(key, row)))(np.arange(2 * pairs))
    ways = [spherical(a, b, columns) for a, b in np.asarray(ends).reshape(pairs, 2, *ends.shape[1:])]
    latents = np.concatenate(ways * (rows // pairs))
    images = sampling.of_latents(net.predict, net.spec, net.variables, latents, np.repeat(label, columns), batch=batch)
    return images.reshape(rows, columns, *images.shape[1:])


def rows_of(spec: Mapping[str, Any], classes: Sequence[str]) -> tuple[int, np.ndarray]:
    """Return how many rows a picture has, and the label int32 of each."""
    label = np.array([list(spec["classes"]).index(name) for name in classes], np.int32)
    if spec["conditional"]:
        return len(label), label
    rows = len(spec["classes"])
    return rows, np.zeros(rows, np.int32)
