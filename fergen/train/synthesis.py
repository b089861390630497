"""The writer of synthetic sets: faces of asked-for emotions into a folder, block by block, filtered if asked.

Everything follows from the request and the blocks on disk: what a block draws depends on how many of the earlier
ones' faces were kept, and a face on its row number. So a run that is killed at any moment and repeated ends with the
same files as one that is not. The files are those of `fergen.data.sources.synthetic`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.experimental import multihost_utils

from fergen.core import mesh as meshes
from fergen.core.clock import Progress
from fergen.core.errors import BadInput
from fergen.core.paths import write_json
from fergen.data.sources import synthetic as layout
from fergen.data.vocabulary import mapping
from fergen.evals import predictions, sampling
from fergen.metrics.calibration import softmax
from fergen.train.checkpoints import locked
from fergen.train.restore import Restored
from fergen.train.synthesis_blocks import State, after, allot, commit, replay, sweep
from fergen.train.synthesis_request import Filter, describe, require_room, require_same

TRIES = 2000
"""A class of which the filter keeps less than one candidate in so many is given up."""


@dataclass(frozen=True)
class Synthesis:
    """What became of a request.

    Attributes:
        folder: where the faces lie.
        kept: class -> faces there.
        drawn: class -> candidates seen until the last was kept; without a filter as many as kept.
        fresh: how many of the faces this call added; the others were there.
    """

    folder: Path
    kept: dict[str, int]
    drawn: dict[str, int]
    fresh: int


class Candidates(NamedTuple):
    """A batch of faces: rows int [b], classes int [b], images uint8 [b, h, w, c], role -> probabilities [b, C]."""

    rows: np.ndarray
    classes: np.ndarray
    images: np.ndarray
    seen: dict[str, np.ndarray]


Draw = Callable[[np.ndarray, np.ndarray], Iterator[Candidates]]


def write(
    folder: str | Path,
    net: Restored,
    counts: Mapping[str, int],
    *,
    form: str = "npy",
    keep: Filter | None = None,
    judge: Restored | None = None,
    seed: int = 0,
    batch: int = 256,
    tries: int = TRIES,
    quiet: bool = True,
) -> Synthesis:
    """Write faces of each class into a folder; what an earlier call of the same request left there is taken up.

    Args:
        folder: new, or begun by the same request.
        net: the generator; see `fergen.train.faces.generator`.
        counts: class -> faces; see `fergen.train.targets`.
        form: "npy", arrays, or "png", a file per face in a folder per class.
        keep: keeps only the faces that a classifier recognises; its weights enter the lineage.
        judge: a classifier whose probabilities are recorded; no face is chosen by them, so it is in no lineage.
        seed: of the latents: row i's is drawn from fold_in(key, i).
        batch: faces per compiled call, at most.
        tries: see `TRIES`.
        quiet: show no progress.

    Raises:
        BadInput: another request's folder, no room on the disk, a classifier that lacks a class, a class that the
            filter hardly ever keeps, or no labels where they are needed.
    """
    folder, names = Path(folder), list(counts)
    about = describe(net, counts, form=form, keep=keep, judge=judge, seed=seed)
    require_same(folder, about)
    target, first = np.array(list(counts.values())), jax.process_index() == 0
    # What process 0 finds on disk holds for all.
    found = multihost_utils.broadcast_one_to_all(replay(folder, names, target, keep is not None))
    state = begun = State(int(found.blocks), int(found.row), np.asarray(found.drawn), np.asarray(found.kept))
    require_room(folder, about, int((target - begun.kept).sum()))
    with locked(folder):
        if first:
            sweep(folder)
            if not (folder / layout.ABOUT).exists():
                write_json(folder / layout.ABOUT, about)
        draw = drawing(net, {"filter": keep and keep.classifier, "judge": judge}, names, seed=seed, batch=batch)
        with Progress(int((target - begun.kept).sum()), label="sample:", quiet=quiet) as progress:
            while (state.kept < target).any():
                if keep:
                    require_passing(folder, state, names, target, keep, tries)
                rows, faces = take(state, names, target, draw, keep, progress)
                if first:
                    commit(folder, state.blocks, form, rows, faces)
                state = after(state, names, target, rows, keep is not None)
        drawn, kept = ({name: int(n) for name, n in zip(names, of)} for of in (state.drawn, state.kept))
        if first:
            write_json(folder / layout.ABOUT, {**about, "done": {"blocks": state.blocks, "drawn": drawn, "kept": kept}})
    return Synthesis(folder, kept, drawn, int((state.kept - begun.kept).sum()))


def drawing(
    net: Restored, roles: Mapping[str, Restored | None], names: Sequence[str], *, seed: int, batch: int
) -> Draw:
    """Return (rows int [n], classes int [n], indices into `names`) -> batches of Candidates, in order.

    Args:
        net: the generator.
        roles: classifiers whose probabilities are wanted.
        names: classes.
        seed: of the latents.
        batch: faces per compiled call; rounded up to a multiple of the devices.
    """
    mesh = meshes.build() if jax.device_count() > 1 else None
    batch = batch if mesh is None else -(-batch // mesh.size) * mesh.size

    def placed(variables: Any) -> Any:
        return meshes.place(variables, meshes.replicated(mesh)) if mesh else jax.device_put(variables)

    variables = placed(net.variables)
    classifiers = {role: (member, placed(member.variables)) for role, member in roles.items() if member}
    known = list(net.spec["classes"])
    label_of = np.array([known.index(name) if name in known else 0 for name in names])

    def draw(rows: np.ndarray, classes: np.ndarray) -> Iterator[Candidates]:
        label, at = label_of[classes], 0
        for numbers, images in sampling.samples(
            net.predict, net.spec, variables, rows, label, seed=seed, batch=batch, mesh=mesh
        ):
            seen = {}
            for role, (member, theirs) in classifiers.items():
                logits = predictions.logits(member.predict["logits"], theirs, images, batch, mesh=mesh)
                seen[role] = softmax(logits, member.card.get("temperature", 1.0))
            yield Candidates(numbers, classes[at : at + len(numbers)], images, seen)
            at += len(numbers)

    return draw


def take(
    state: State, names: Sequence[str], target: np.ndarray, draw: Draw, keep: Filter | None, progress: Progress
) -> tuple[list[dict[str, Any]], list[np.ndarray]]:
    """Draw a block, keep what passes and is missing: the rows for the manifest, and the faces uint8 [h, w, c]."""
    classes = np.repeat(np.arange(len(names)), allot(state, target, keep is not None))
    kept, rows, faces = state.kept.copy(), [], []
    for batch in draw(state.row + np.arange(len(classes)), classes):
        passing, seen_as = passes(keep, batch, names) if keep else (np.ones(len(batch.rows), bool), batch.classes)
        corrected = bool(keep and keep.correct)
        before = len(rows)
        for i in np.flatnonzero(passing):
            c = batch.classes[i]
            if kept[c] < target[c]:
                kept[c] += 1
                probabilities = {role: [round(float(p), 6) for p in seen[i]] for role, seen in batch.seen.items()}
                seen = {"seen": names[seen_as[i]]} if corrected else {}
                rows.append({"row": int(batch.rows[i]), "label": names[c], **seen, **probabilities})
                faces.append(batch.images[i])
        progress.update(len(rows) - before, f"({passing.mean():.0%} pass)" if keep else "")
    return rows, faces


def passes(keep: Filter, batch: Candidates, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return (bool [b], whether the filter keeps each face; int [b], the class, of `names`, that it sees on it)."""
    columns = mapping(names, keep.classifier.spec["classes"])
    seen = batch.seen["filter"]
    as_class = seen[:, columns].argmax(1)
    own = columns[as_class if keep.correct else batch.classes]
    sure = (seen.argmax(1) == own) & (seen[np.arange(len(own)), own] >= keep.confidence)
    return sure, as_class


def require_passing(
    folder: Path, state: State, names: Sequence[str], target: np.ndarray, keep: Filter, tries: int
) -> None:
    """Check that of each class still missing the filter keeps at least one candidate in `tries`.

    Raises:
        BadInput: names the class, and how many passed.
    """
    for name, drawn, kept, wanted in zip(names, state.drawn, state.kept, target):
        if kept < wanted and drawn >= tries * (kept + 1):
            raise BadInput(
                f"{folder}: of {drawn:,} faces drawn as {name} {kept:,} passed the filter '{keep.classifier.name}' at"
                f" confidence {keep.confidence}, fewer than one in {tries:,}; lower --confidence or leave {name} out,"
                " and take another folder"
            )
