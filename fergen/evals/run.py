"""Everything that is measured of one classifier, or an ensemble, on the splits of a prepared set."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from fergen.core import hosts
from fergen.core import mesh as meshes
from fergen.core.clock import Progress
from fergen.core.errors import BadInput
from fergen.data import dataset
from fergen.data.vocabulary import classes_of, mapping, name_of
from fergen.evals import action_units, classification, ensemble, predictions
from fergen.metrics import selective
from fergen.metrics.calibration import fit_temperature, softmax

# `train` is measured when asked for; these are where scores are reported.
SPLITS = ("validation", "public", "test")


@dataclass(frozen=True)
class Result:
    """What was measured on one split: flat `scores`, the `arrays` behind pictures, and the split itself."""

    split: dataset.Split
    scores: dict[str, float]
    arrays: dict[str, Any]


@dataclass(frozen=True)
class Report:
    """What was measured in one go.

    Attributes:
      results: split name -> Result, in the order asked for.
      members: names of the weights that took part.
      notes: what a reader of the scores must know, a sentence each.
    """

    results: dict[str, Result]
    members: list[str]
    notes: list[str]


def run(
    members: Sequence[Any],
    data: str | Path,
    splits: Sequence[str] | None = None,
    *,
    vocabulary: str | None = None,
    tta: str | None = None,
    select: bool = False,
    bootstrap: int = 1000,
    seed: int = 0,
    batch: int = 256,
    quiet: bool = True,
) -> Report:
    """Measure a classifier, or the average of several.

    Temperatures (one for the single view, one for TTA), the ensemble's members and the threshold of confidence above
    which answers are right on 80 % are chosen on `validation` alone.

    Args:
      members: restored weights: `.name`, `.predict` (name -> function), `.variables`, `.spec["classes"]`.
      data: a prepared set's name or folder.
      splits: names; None for those of validation, public and test that the set has.
      vocabulary: map the set's labels to it; None keeps them, or takes the classifiers' own vocabulary where the set
        has classes that it lacks, or votes for classes that the set's labels lack.
      tta: "flip", "five_crop", "ten_crop" or "ten_shift" adds the scores of averaged views under `tta/`.
      select: keep only the members that lower the ensemble's validation loss.
      bootstrap: resamples per interval.
      seed: of the resamples.
      batch: images per call.
      quiet: show no progress.

    Returns:
      A Report.

    Raises:
      BadInput: no such set or split, classes that the weights lack, no validation split to select on, or the same
        weights twice.
    """
    names = [member.name for member in members]
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise BadInput(f"weights '{twice[0]}': expected different members of an ensemble, found it twice")
    there = _splits_of(data)
    # What was trained on can choose nothing, and a score on it is none.
    learned = [m.name for m in members if "validation" in m.spec.get("data", {}).get("split", "")]
    chooses = "validation" in there and not learned
    splits = list(dict.fromkeys(splits or [n for n in SPLITS if n in there and (n != "validation" or chooses)]))
    for name in splits:
        if name not in there:
            raise BadInput(f"the set '{data}' has no split '{name}'; it has: {', '.join(there)}")
    if not splits:
        raise BadInput(f"the set '{data}' has none of {', '.join(SPLITS)}; it has: {', '.join(there)}")
    if select and not chooses:
        why = f"{', '.join(learned)} trained on it" if learned else f"the set '{data}' has none"
        raise BadInput(f"--select: members are chosen on the validation split, and {why}")
    vocabulary = vocabulary or _vocabulary(dataset.spec_of(data), [member.spec["classes"] for member in members])
    needed = [*splits, *(["validation"] if chooses and "validation" not in splits else [])]
    loaded = {name: dataset.load(data, name, vocabulary=vocabulary) for name in needed}
    kinds = ["single", *([tta] if tta else [])]

    work = sum(map(len, loaded.values())) * len(members)
    outputs: dict[tuple[str, str], dict[str, np.ndarray]] = {}
    mesh = meshes.build() if jax.device_count() > 1 else None
    batch = batch if mesh is None else -(-batch // mesh.size) * mesh.size
    for kind in kinds:
        with Progress(work, label=f"eval {kind}", quiet=quiet) as progress:
            for name, split in loaded.items():
                outputs[kind, name] = {
                    member.name: _logits(member, split, batch, kind, mesh, progress.update) for member in members
                }
    notes = [
        f"{n:,} {name} rows of {s} left out: not in the vocabulary"
        for s, x in loaded.items()
        for name, n in x.dropped.items()
    ]
    chosen = [member.name for member in members]
    if select:
        chosen = ensemble.select(outputs["single", "validation"], loaded["validation"].labels)
        notes.append(f"{len(chosen)} of {len(members)} members chosen on validation: {', '.join(chosen)}")
    joined = {at: _join([each[name] for name in chosen]) for at, each in outputs.items()}
    temperatures, sure = dict.fromkeys(kinds, 1.0), None
    if chooses:
        labels = loaded["validation"].labels
        temperatures = {k: fit_temperature(joined[k, "validation"], labels) for k in kinds}
        sure = selective.choose(softmax(joined["single", "validation"], temperatures["single"]), labels)
    else:
        notes.append("no validation split to fit a temperature on: probabilities are as the network gives them")
    if learned and "validation" in splits:
        notes.append(f"validation is no held-out split here: {', '.join(learned)} trained on it")

    results = {}
    for name in splits:
        scores: dict[str, float] = {}
        for kind in kinds:
            scores |= classification.evaluate(
                joined[kind, name],
                loaded[name],
                temperature=temperatures[kind],
                bootstrap=bootstrap,
                seed=seed,
                prefix="" if kind == "single" else "tta/",
            )
        scores |= _action_units(members[0], loaded, name, batch, mesh)
        arrays = classification.arrays(joined["single", name], loaded[name], temperature=temperatures["single"])
        if sure:
            answered = selective.at(arrays["probabilities"], loaded[name].labels, sure.threshold)
            scores |= {
                "threshold": sure.threshold,
                "answered": answered.coverage,
                "answered_accuracy": answered.accuracy,
            }
        results[name] = Result(loaded[name], scores, arrays)
    return Report(results, chosen, notes)


def _splits_of(data: str | Path) -> list[str]:
    """Return a set's splits; procedural faces that are not there yet are drawn first."""
    with hosts.first_alone():
        dataset.draw_procedural(data)
    return list(dataset.spec_of(data).splits)


def _vocabulary(spec: dataset.DatasetSpec, known: Sequence[Sequence[str]]) -> str | None:
    set_classes, own = spec.classes, name_of(known[0])
    if (mapping(set_classes, known[0]) >= 0).all():
        # No label is lost, and majorities of the votes count that the set's own labels have no class for.
        return own if spec.options.get("ferplus") and all(name_of(classes) == own for classes in known) else None
    # A vocabulary that the set cannot be mapped to at all is left to `align`, which names the classes in its error.
    return own if own and (mapping(set_classes, classes_of(own)) >= 0).any() else None


def _logits(member: Any, split: dataset.Split, batch: int, kind: str, mesh: Any, advance: Any) -> np.ndarray:
    if not len(split):
        raise BadInput(f"the split '{split.name}' of '{split.spec.name}' has no rows left")
    columns = tuple(member.spec["classes"])
    classification.align(np.zeros((0, len(columns))), columns, split.spec.classes)  # fails before hours of work
    found = predictions.logits(
        member.predict["logits"], member.variables, split.images, batch, kind, mesh=mesh, advance=advance
    )
    return classification.align(found, columns, split.spec.classes)


def _join(members: list[np.ndarray]) -> np.ndarray:
    return members[0] if len(members) == 1 else ensemble.average(members)


def _action_units(member: Any, loaded: dict[str, dataset.Split], name: str, batch: int, mesh: Any) -> dict[str, float]:
    """Score features on a split whose rows know their action units, fitted on the validation split."""
    fit = loaded.get("validation")
    split = loaded[name]
    if fit is None or name == "validation" or "features" not in member.predict or "action_units" not in split.rows:
        return {}
    seen = [
        predictions.logits(member.predict["features"], member.variables, s.images, batch, mesh=mesh)
        for s in (fit, split)
    ]
    return action_units.evaluate(seen[0], fit.rows["action_units"], seen[1], split.rows["action_units"])
