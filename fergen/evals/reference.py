"""The real faces that generated ones are measured against, and their features, computed once for all generators."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from fergen.core import mesh as meshes
from fergen.core.clock import Progress
from fergen.core.errors import BadInput
from fergen.core.fields import whole
from fergen.data import dataset
from fergen.data.vocabulary import mapping, name_of
from fergen.evals.features import ROWS_PER_DIMENSION, Batch, Gathered, Plan, Spaces, dimension, enough, gather, plan

TRAIN, HELD_OUT = "train", "validation"
_BLOCK = 1024


@dataclass(frozen=True)
class Reference:
    """Real faces of a set.

    Attributes:
        classes: class names in the generators' order.
        asked: see `classes_asked`.
        splits: split name -> Split in these classes.
        spaces: the feature spaces.
        plan: how many faces of each class take part in what.
        train: feature space -> training faces.
        held_out: feature space -> validation faces; None for a set without.
        seed: of the choice of faces.
        batch: images per compiled call of a feature network.
        mesh: each batch is split over these devices; None for the default device.
        notes: what a reader of the scores must know, a sentence each.
    """

    classes: tuple[str, ...]
    asked: tuple[int, ...]
    splits: dict[str, dataset.Split]
    spaces: Spaces
    plan: Plan
    train: dict[str, Gathered]
    held_out: dict[str, Gathered] | None
    seed: int
    batch: int
    mesh: Mesh | None
    notes: list[str]

    @property
    def taking(self) -> np.ndarray:
        """The classes whose real faces take part, int [k]."""
        return np.asarray(self.asked) if self.asked else np.arange(len(self.classes))

    def rows(self, split: str) -> np.ndarray:
        """Return the rows of a split that are of the classes taking part, int [n]."""
        return np.flatnonzero(np.isin(self.splits[split].labels, self.taking))


def classes_asked(spec: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the classes that a generator can be asked for: those it learned, or none without labels."""
    learned = tuple(np.flatnonzero(spec["prior"]).tolist())
    return learned if spec["conditional"] or len(learned) == 1 else ()


def build(
    data: str | Path,
    spec: Mapping[str, Any],
    spaces: Spaces,
    *,
    n: int = 2560,
    per_class: int = 200,
    seed: int = 0,
    batch: int = 64,
    quiet: bool = True,
) -> Reference:
    """Load a set in a generator's classes, and bring its faces into the feature spaces.

    Args:
        data: a prepared set's name or folder.
        spec: of the generator; the result serves all generators of these classes.
        spaces: name -> (function, variables); may be empty, for control alone. EfficientNet-Lite0 has 1,280 dimensions,
            so that its Fréchet distance takes n of 2,560.
        n: faces of all classes together, at most: as many as there are held-out ones.
        per_class: faces of each class, at most.
        seed: of the choice of faces.
        batch: images per compiled call of a feature network.
        quiet: show no progress.

    Raises:
        BadInput: no such set, no training faces, or classes that do not map.
    """
    whole("n", n, 1)
    whole("per_class", per_class, 1)
    dataset.draw_procedural(data)
    described = dataset.spec_of(data)
    classes, asked = tuple(spec["classes"]), classes_asked(spec)
    if TRAIN not in described.splits:
        there = ", ".join(described.splits)
        raise BadInput(f"the set '{described.name}' has no split {TRAIN} to compare with; it has: {there}")
    vocabulary = _vocabulary(described, classes)
    splits = {name: dataset.load(data, name, vocabulary=vocabulary) for name in described.splits}
    taking = np.isin(np.arange(len(classes)), asked or np.arange(len(classes)))
    counts = {
        name: np.where(taking, np.bincount(splits[name].labels, minlength=len(classes)), 0)
        for name in (TRAIN, HELD_OUT)
        if name in splits
    }
    if not counts[TRAIN].sum():
        wanted = ", ".join(name for name, takes in zip(classes, taking) if takes)
        raise BadInput(f"the set '{described.name}' has no training faces of {wanted}")
    notes = []
    if HELD_OUT not in counts or not counts[HELD_OUT].sum():
        counts.pop(HELD_OUT, None)
        notes.append(f"the set '{described.name}' has no {HELD_OUT} faces: there is no floor beside the distances")
    chosen = plan(n, per_class, counts[TRAIN], counts.get(HELD_OUT))
    if chosen.n < n:
        notes.append(f"n is {chosen.n:,} rather than {n:,}: the set has no more real faces at equal shares of classes")
    for name, (function, variables) in spaces.items():
        wide = dimension(function, variables, splits[TRAIN].images)
        if not enough(chosen.n, wide):
            least = ROWS_PER_DIMENSION * wide
            notes.append(f"no fid/{name}: its {wide:,} dimensions take n of at least {least:,}, and n is {chosen.n:,}")
    mesh = meshes.build() if jax.device_count() > 1 else None
    batch = -(-batch // mesh.size) * mesh.size if mesh else batch
    gathered = {}
    with Progress(None, label="real features", quiet=quiet or not spaces) as progress:
        for name in counts if spaces else ():
            faces = _faces(splits[name], np.flatnonzero(taking), chosen, seed)
            gathered[name] = gather(spaces, chosen, faces, batch=batch, mesh=mesh, advance=progress.update)
    train, held_out = gathered.get(TRAIN, {}), gathered.get(HELD_OUT)
    return Reference(classes, asked, splits, spaces, chosen, train, held_out, seed, batch, mesh, notes)


def _vocabulary(spec: dataset.DatasetSpec, classes: Sequence[str]) -> str | None:
    if tuple(spec.classes) == tuple(classes):
        return None
    own = name_of(classes)
    if own is None or (mapping(classes, spec.classes) < 0).all():
        raise BadInput(
            f"the set '{spec.name}' has classes {', '.join(spec.classes)}, the generator {', '.join(classes)}: expected"
            " the same, or a vocabulary of ours that the set's classes map to; take the set it was trained on"
        )
    return own


def _faces(split: dataset.Split, taking: np.ndarray, chosen: Plan, seed: int) -> Iterator[Batch]:
    """Yield faces chosen at random: of each class as many as any figure takes."""
    rng = np.random.default_rng(seed)
    rows, labels, rank = [], [], []
    for c in taking:
        own = rng.permutation(np.flatnonzero(split.labels == c))[: max(chosen.mixed[c], chosen.each)]
        rows.append(own)
        labels.append(np.full(len(own), c))
        rank.append(np.arange(len(own)))
    index, label, ranks = (np.concatenate(x) for x in (rows, labels, rank))
    for start in range(0, len(index), _BLOCK):
        part = slice(start, start + _BLOCK)
        yield np.asarray(split.images[index[part]]), label[part], ranks[part]
