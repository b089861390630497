"""A generator's faces for the eye: the same latents under every emotion, and ways between latents."""

import dataclasses
import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from fergen.core.arrays import to_uint8
from fergen.core.errors import BadInput
from fergen.data.vocabulary import canonical, is_known
from fergen.evals import sampling
from fergen.evals.reference import classes_asked
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
    return resampled(found, **sampler)


def resampled(net: Restored, **sampler: Any) -> Restored:
    """Return a generator with some of its sampler's options replaced; arguments and errors as of `generator`."""
    given = {key: value for key, value in sampler.items() if value is not None}
    own = net.spec.get("sampler") or {}
    for key in given:
        if key not in own:
            has = ", ".join(own) or "none: it samples in one step"
            raise BadInput(f"weights '{net.name}', a {net.spec['task']}, have no sampler option {key}; there: {has}")
    if not given:
        return net
    spec = {**net.spec, "sampler": {**own, **given}}
    predict = importlib.import_module(f"fergen.tasks.{spec['task']}").predict_of(spec)
    return dataclasses.replace(net, spec=spec, predict=predict)


def emotions(spec: Mapping[str, Any]) -> list[str]:
    """Return the classes that a generator can be asked for; of an unconditional one, the one it learned, if one."""
    return [spec["classes"][c] for c in classes_asked(spec)]


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
    ends = sampling.latents(net.predict, np.arange(2 * pairs), seed=seed)
    ways = [spherical(a, b, columns) for a, b in np.asarray(ends).reshape(pairs, 2, *ends.shape[1:])]
    latents = np.concatenate(ways * (rows // pairs))
    images = sampling.of_latents(net.predict, net.spec, net.variables, latents, np.repeat(label, columns), batch=batch)
    return images.reshape(rows, columns, *images.shape[1:])


def sweep(
    net: Restored,
    option: str,
    values: Sequence[float],
    classes: Sequence[str] | None = None,
    *,
    seed: int = 0,
    batch: int = 256,
) -> np.ndarray:
    """Generate one face under several values of a sampler's option, a row per emotion; all share their latent.

    Args:
        net: from `generator`.
        option: its name, for example truncation.
        values: it takes, a column each.
        classes: the rows; None is all.
        seed: of the latent.
        batch: faces per compiled call, at most.

    Returns:
        uint8 [rows, columns, h, w, c].
    """
    each = (resampled(net, **{option: value}) for value in values)
    return np.concatenate([grid(net, classes, columns=1, seed=seed, batch=batch) for net in each], axis=1)


def mixture(net: Restored, cutoff: int, classes: Sequence[str] | None = None, *, columns: int = 10, seed: int = 0):
    """Mix the styles of faces of a StyleGAN2: the first layers' of one, the rest of another.

    Karras et al. 2019 (arXiv:1812.04948), figure 3: coarse styles carry pose and shape, fine ones light and texture.

    Args:
        net: from `generator`.
        cutoff: the layers that take the row's style; the others take the column's.
        classes: of the rows' faces, and in turn of the columns'; None is all.
        columns: faces whose fine styles are taken.
        seed: of the latents.

    Returns:
        uint8 [1 + rows, 1 + columns, h, w, c]: the columns' faces on top, the rows' on the left, the corner black.

    Raises:
        BadInput: the generator has no styles, or not so many layers.
    """
    if "styles" not in net.predict:
        raise BadInput(f"weights '{net.name}': expected a stylegan2, found a {net.spec['task']}: it has no styles")
    rows, label = rows_of(net.spec, chosen(net.spec, classes))
    latents = sampling.latents(net.predict, np.arange(rows + columns), seed=seed)
    labels = np.concatenate([label, label[np.arange(columns) % rows]])
    ws = np.asarray(jax.jit(net.predict["styles"])(net.variables, latents, labels))
    if not 0 < cutoff < ws.shape[1]:
        raise BadInput(f"--mix={cutoff}: expected 1 to {ws.shape[1] - 1} of the {ws.shape[1]} layers' styles")
    pairs = [(a, b) for a in range(rows) for b in range(rows, rows + columns)]
    mixed = np.stack([np.concatenate([ws[a, :cutoff], ws[b, cutoff:]]) for a, b in pairs])
    synthesise = jax.jit(lambda ws: to_uint8(net.predict["synthesise"](net.variables, ws).clip(-1, 1)))
    own, both = np.asarray(synthesise(ws)), np.asarray(synthesise(mixed))
    page = np.zeros((1 + rows, 1 + columns, *own.shape[1:]), np.uint8)
    page[1:, 0], page[0, 1:], page[1:, 1:] = own[:rows], own[rows:], both.reshape(rows, columns, *own.shape[1:])
    return page


def rows_of(spec: Mapping[str, Any], classes: Sequence[str]) -> tuple[int, np.ndarray]:
    """Return how many rows a picture has, and the label int32 of each."""
    label = np.array([list(spec["classes"]).index(name) for name in classes], np.int32)
    if spec["conditional"]:
        return len(label), label
    rows = len(spec["classes"])
    return rows, np.zeros(rows, np.int32)
