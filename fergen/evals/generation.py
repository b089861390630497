"""Everything that is measured of one generator: control by an independent judge, distances from real faces, copies."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fergen.core.clock import Progress
from fergen.core.errors import BadInput
from fergen.evals import control, distances, neighbours, predictions, sampling
from fergen.evals.control import Judged
from fergen.evals.features import Batch, Plan, gather
from fergen.evals.independence import require_independent
from fergen.evals.reference import HELD_OUT, TRAIN, Reference, classes_asked
from fergen.metrics.classification import confusion
from fergen.tasks.state import require_classifier

# Where a judge's recall on real faces is measured; `test` is left for the recognisers' own scores.
REAL = ("validation", "public")
COLUMNS = 10  # faces per class in the picture
COPIES = 256  # faces that are looked up among the training faces
SHOWN = 2  # of these, faces per class whose neighbours are in the picture


@dataclass(frozen=True)
class Report:
    """What was measured in one go.

    Attributes:
        scores: flat; see `run`.
        arrays: behind pictures; see `run`.
        classes: of the generator.
        about: what took part: names and hashes of generator, judge, guide and data, the feature spaces, the seed.
        notes: what a reader of the scores must know, a sentence each.
    """

    scores: dict[str, float]
    arrays: dict[str, Any]
    classes: tuple[str, ...]
    about: dict[str, Any]
    notes: list[str]


class Request(NamedTuple):
    """Faces to generate, sorted by class.

    A class has a stream of faces of its own, and every figure takes the first it needs of it. A generator without
    classes has one stream, of class 0.
    """

    rows: np.ndarray  # int [n], row numbers
    labels: np.ndarray  # int [n]
    rank: np.ndarray  # int [n], within the stream
    plan: Plan


def require_fit(generator: Any, judge: Any, guide: Any = None) -> None:
    """Check that this judge can score this generator; costs nothing, so do it before all else.

    Raises:
        BadInput: the first is no generator, the judge is not independent of it, or judge or guide lacks a class.
    """
    if "sample" not in generator.predict:
        raise BadInput(f"weights '{generator.name}': expected a generator, found a {generator.spec['task']}")
    for role, member in {"judge": judge, "guide": guide}.items():
        if member is not None:
            require_classifier(member, f"{role} '{member.name}'")
            control.require_classes(member.name, member.spec["classes"], generator.spec["classes"], role)
    require_independent(generator, judge)


def run(
    generator: Any,
    judge: Any,
    real: Reference,
    *,
    guide: Any = None,
    splits: Sequence[str] | None = None,
    bootstrap: int = 1000,
    batch: int = sampling.BATCH,
    quiet: bool = True,
) -> Report:
    """Measure a generator.

    The classes of all faces together are in the shares of the held-out real ones, so that a difference in shares is not
    taken for one in faces; control and the figures per class take as many faces of each.

    Args:
        generator: restored weights: `.name`, `.hash`, `.lineage`, `.predict`, `.variables`, `.spec`.
        judge: a restored classifier, independent of the generator.
        real: the real faces, from `reference.build` with the generator's spec; its n, seed and feature spaces count.
        guide: the restored classifier that took part in the generator's training, for its figure beside the judge's.
        splits: where the judge's recall on real faces is measured; None for those of validation and public that the
            set has and the judge did not train on.
        bootstrap: resamples per interval; the sd of a kernel distance takes a fifth of them.
        batch: faces per compiled call of generator and classifiers.
        quiet: show no progress.

    Returns:
        A Report. Scores: those of `control.evaluate` (for a generator without classes the judge's predictions instead,
        `shares/<class>`, and on real faces, `real/shares/<class>`); of `distances.compare` for each feature space, and
        the same of held-out faces under `floor/`; of `neighbours.evaluate`; the numbers of faces `n` (of all classes
        together, equal on all sides), `n/<class>`, `floor/n/<class>`, `train/n/<class>` and, equal on all sides,
        `n/fid/<class>`.
        Arrays: `samples` uint8 [rows, columns, h, w, c], a class a row; `confusion` int [C, C] (row = asked for, column
        = the judge) and `real_confusion` (row = label); those of `neighbours.evaluate`.

    Raises:
        BadInput: as `require_fit`, or there is no split to see the judge's recall on.
    """
    require_fit(generator, judge, guide)
    spec, classes, seed = generator.spec, real.classes, real.seed
    if tuple(spec["classes"]) != classes or classes_asked(spec) != real.asked:
        raise ValueError(f"expected real faces for a generator of {spec['classes']}, found those for {classes}")
    batch = -(-batch // real.mesh.size) * real.mesh.size if real.mesh else batch
    watchers = {"judge": judge} | ({} if guide is None else {"guide": guide})

    def predicted(member: Any, images: np.ndarray) -> np.ndarray:
        logits = predictions.logits(member.predict["logits"], member.variables, images, batch, mesh=real.mesh)
        return control.predicted(logits, member.spec["classes"], classes)

    chosen, notes = recall_splits(real, judge, splits)
    judged = {}
    for name in chosen:
        rows, split = real.rows(name), real.splits[name]
        judged[name] = Judged(split.labels[rows], predicted(judge, split.images[rows]))

    # Generated faces pass by once: of all of them what the classifiers say is kept, the images of a few.
    wanted = request(real)
    few = max(COLUMNS, COPIES // len(real.asked or (0,)))
    said: dict[str, list[np.ndarray]] = {role: [] for role in watchers}
    kept: list[np.ndarray] = []

    def generated() -> Iterator[Batch]:
        net, rows, labels = generator.predict, wanted.rows, wanted.labels
        faces = sampling.samples(net, spec, generator.variables, rows, labels, seed=seed, batch=batch, mesh=real.mesh)
        at = 0
        with Progress(len(wanted.rows), unit="faces", label="generate and score", quiet=quiet) as progress:
            for _, images in faces:
                part = slice(at, at := at + len(images))
                for role, member in watchers.items():
                    said[role].append(predicted(member, images))
                kept.append(images[wanted.rank[part] < few])
                yield images, wanted.labels[part], wanted.rank[part]
                progress.update(len(images))

    fakes = gather(real.spaces, wanted.plan, generated(), batch=real.batch, mesh=real.mesh)
    seen = {role: np.concatenate(parts) for role, parts in said.items()}

    scores = numbers(real, wanted)
    arrays: dict[str, Any] = {}
    pooled = Judged(*(np.concatenate(parts) for parts in zip(*judged.values())))
    arrays["real_confusion"] = confusion(*pooled, len(classes)).astype(np.int64)
    if real.asked:
        balanced = wanted.rank < real.plan.each
        shown = Judged(wanted.labels[balanced], seen["judge"][balanced])
        guided = None if guide is None else seen["guide"][balanced]
        scores |= control.evaluate(shown, judged, classes, guide=guided, bootstrap=bootstrap, seed=seed)
        arrays["confusion"] = confusion(*shown, len(classes)).astype(np.int64)
    else:
        scores |= _shares("shares", seen["judge"], classes) | _shares("real/shares", pooled.predictions, classes)
    sides = {"": fakes} | ({"floor/": real.held_out} if real.held_out else {})
    named = classes if real.asked else ()
    for space, prefix in [(space, prefix) for space in real.spaces for prefix in sides]:
        found = distances.compare(
            space, sides[prefix][space], real.train[space], named, resamples=bootstrap // 5, seed=seed
        )
        scores |= {prefix + name: value for name, value in found.items()}

    images, rank = np.concatenate(kept), wanted.rank[wanted.rank < few]
    arrays["samples"] = sheet(images, wanted.labels[wanted.rank < few], rank, real)
    if images.shape[1:] == real.splits[TRAIN].images.shape[1:]:
        copies = neighbours.evaluate(
            images, real.splits[TRAIN].images, _held_out(real), shown=np.flatnonzero(rank < SHOWN), seed=seed
        )
        scores, arrays = scores | copies[0], arrays | copies[1]
    else:
        notes.append("no neighbours: the set's images are of another size than the generator's")
    return Report(scores, arrays, classes, about(generator, real, watchers), [*real.notes, *notes])


def recall_splits(real: Reference, judge: Any, splits: Sequence[str] | None) -> tuple[list[str], list[str]]:
    """Choose where the judge's recall on real faces is measured; returns the splits, and notes.

    Raises:
        BadInput: the set lacks a split asked for, or has none that the judge did not train on.
    """
    name, notes = real.splits[TRAIN].spec.name, []
    learned = judge.spec.get("data", {}).get("split", "")
    for split in splits or ():
        if split not in real.splits:
            raise BadInput(f"the set '{name}' has no split '{split}'; it has: {', '.join(real.splits)}")
        if split in learned:
            notes.append(f"{split} is no held-out split here: judge '{judge.name}' trained on it")
    chosen = list(splits or (s for s in REAL if s in real.splits and s not in learned))
    chosen = [split for split in chosen if len(real.rows(split))]
    if not chosen:
        raise BadInput(
            f"the set '{name}' has no {' or '.join(splits or REAL)} faces that judge '{judge.name}' did not train on:"
            " its recall on real faces cannot be told; take another judge, or name a split"
        )
    return chosen, notes


def request(real: Reference) -> Request:
    """Say which faces to generate, for real faces of a plan."""
    plan, k = real.plan, len(real.classes)
    if not real.asked:
        rank = np.arange(plan.n)
        whole = Plan(np.array([plan.n]), np.array([plan.kept.sum()]), np.array([0]), 0)
        return Request(rank, np.zeros(plan.n, np.int64), rank, whole)
    counts = [max(int(plan.mixed[c]), plan.each) for c in real.asked]
    labels, rank = np.repeat(real.asked, counts), np.concatenate([np.arange(count) for count in counts])
    return Request(rank * k + labels, labels, rank, plan)


def numbers(real: Reference, wanted: Request) -> dict[str, float]:
    """Return how many faces the figures rest on."""
    found: dict[str, float] = {"n": real.plan.n}
    labels = {"": wanted.labels[wanted.rank < real.plan.each] if real.asked else np.zeros(0, np.int64)}
    real_sides = {"floor/": HELD_OUT, "train/": TRAIN}
    labels |= {prefix: real.splits[split].labels for prefix, split in real_sides.items() if split in real.splits}
    for prefix, each in labels.items():
        counts = np.minimum(np.bincount(each, minlength=len(real.classes)), real.plan.each)
        found |= {f"{prefix}n/{real.classes[c]}": int(counts[c]) for c in real.asked}
    return found | {f"n/fid/{real.classes[c]}": int(real.plan.alike[c]) for c in real.asked}


def sheet(images: np.ndarray, labels: np.ndarray, rank: np.ndarray, real: Reference) -> np.ndarray:
    """Lay out the first faces of each class in a row: uint8 [rows, columns, h, w, c]."""
    if real.asked:
        columns = min(COLUMNS, *np.bincount(labels)[list(real.asked)])
        rows, images = len(real.asked), images[rank < columns]
    else:
        columns = min(COLUMNS, len(images))
        rows = min(len(images) // columns, len(real.classes))
    return images[: rows * columns].reshape(rows, columns, *images.shape[1:])


def about(generator: Any, real: Reference, watchers: Mapping[str, Any]) -> dict[str, Any]:
    """Say what took part."""
    data = real.splits[TRAIN].spec
    found: dict[str, Any] = {"data": data.name, "data_hash": data.hash}
    for role, member in {"generator": generator, **watchers}.items():
        # The last part alone of a path: what is written travels to other machines.
        found |= {role: Path(member.name).name, f"{role}_hash": member.hash}
    return found | {"features": list(real.spaces), "seed": real.seed}


def _held_out(real: Reference) -> np.ndarray | None:
    if HELD_OUT not in real.splits:
        return None
    rows = np.random.default_rng(real.seed).permutation(real.rows(HELD_OUT))[:COPIES]
    return np.asarray(real.splits[HELD_OUT].images[np.sort(rows)])


def _shares(prefix: str, predictions: np.ndarray, classes: Sequence[str]) -> dict[str, float]:
    return {f"{prefix}/{name}": float((predictions == c).mean()) for c, name in enumerate(classes)}
