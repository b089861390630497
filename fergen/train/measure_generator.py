"""Measuring a generator by reference: control by a judge, distances from real faces, scores and pictures into files."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

from fergen.core.clock import Progress
from fergen.core.errors import BadInput
from fergen.core.paths import write_json
from fergen.evals import generation, reconstruction, reference
from fergen.train import searched
from fergen.train.feature_spaces import FeatureSpace, load
from fergen.train.restore import Restored, restore

# The judge that ships, and the set that it learned from.
JUDGE, JUDGED = "fer2013_judge", "fer2013"


def evaluate(
    generator: str,
    *,
    judge: str | None = None,
    guide: str | None = None,
    features: Sequence[str] = ("lite0",),
    data: str | None = None,
    splits: Sequence[str] | None = None,
    n: int = 2560,
    per_class: int = 200,
    seed: int = 0,
    bootstrap: int = 1000,
    sampler: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    quiet: bool = True,
) -> generation.Report:
    """Measure a generator.

    Args:
        generator: its weights by reference, see `fergen.train.restore.restore`.
        judge: an independent classifier by reference; None takes the one that ships, for generators of FER2013.
        guide: a classifier by reference, for its figure beside the judge's; best the one that guided the training.
        features: feature spaces, see `fergen.train.feature_spaces.load`; none for control alone.
        data: a prepared set; None for the one that the generator was trained on.
        splits: where the judge's recall on real faces is measured; None for validation and public.
        n: faces of all classes together; the set's held-out faces may be fewer.
        per_class: faces of each class.
        seed: of latents and of the choice of real faces.
        bootstrap: resamples per interval.
        sampler: fields of the generator's sampler to replace, see `fergen.train.faces.generator`.
        out: folder for scores.json and pictures; None writes nothing.
        quiet: show no progress.

    Returns:
        See `fergen.evals.generation.run`. Of an autoencoder, also the scores of `fergen.evals.reconstruction.measure`
        on held-out faces, under `reconstruction/`, and `relabelled`, see there.

    Raises:
        BadInput: no such weights or set, a judge that is not independent or lacks a class, missing feature weights.
    """
    made = searched.generator(generator, **(sampler or {}))
    judged_by = restore(judge or default_judge(made))
    guided_by = restore(guide) if guide else None
    # What cannot be scored is refused before anything is computed.
    generation.require_fit(made, judged_by, guided_by)
    spaces = [load(name) for name in features]
    if len({space.name for space in spaces}) < len(spaces):
        raise BadInput(f"--features {' '.join(features)}: expected spaces of different names, found one twice")
    real = reference.build(
        data or trained_on(made),
        made.spec,
        {space.name: (space.fn, space.variables) for space in spaces},
        n=n,
        per_class=per_class,
        seed=seed,
        quiet=quiet,
    )
    report = generation.run(made, judged_by, real, guide=guided_by, splits=splits, bootstrap=bootstrap, quiet=quiet)
    if "reconstruct" in made.predict:
        give_back(report, made, real, spaces, quiet=quiet)
    for space in spaces:
        report.about[f"features/{space.name}"] = space.hash
        if space.hash in made.lineage["weights"]:
            report.notes.append(
                f"the generator learned from the network of {space.name}: its distances there flatter it"
            )
    if "sampler" in made.spec:
        report.about["sampler"] = made.spec["sampler"]
    if out and jax.process_index() == 0:
        write(Path(out), report)
    return report


def give_back(
    report: generation.Report, made: Restored, real: reference.Reference, spaces: Sequence[FeatureSpace], *, quiet: bool
) -> None:
    """Add to a report how well an autoencoder gives held-out faces back, under `reconstruction/`."""
    split, size = real.splits.get(reference.HELD_OUT), made.spec["image"]
    if split is None or split.images.shape[1:] != (size["height"], size["width"], size["channels"]):
        report.notes.append("no reconstruction: the set has no held-out faces of the generator's size")
        return
    with Progress(len(split), unit="faces", label="give back", quiet=quiet) as progress:
        found = reconstruction.measure(
            made.predict,
            made.variables,
            split,
            regions=made.spec["regions"],
            networks=[reconstruction.FeatureMaps(space.name, space.maps, space.variables) for space in spaces],
            batch=64,
            advance=progress.update,
        )
    report.scores.update({f"reconstruction/{name}": value for name, value in found.items()})
    report.scores["reconstruction/n"] = len(split)
    k = len(real.classes)
    report.arrays["relabelled"] = reconstruction.relabelled(made.predict, made.variables, split, k, k)


def trained_on(made: Restored) -> str:
    """Return the set that a generator was trained on.

    Raises:
        BadInput: the weights do not say.
    """
    name = made.card.get("config", {}).get("data", {}).get("name")
    if not name:
        raise BadInput(f"weights '{made.name}' do not say what they were trained on: give --data=NAME")
    return name


def default_judge(made: Restored) -> str:
    """Return the judge of a generator when none is named.

    Raises:
        BadInput: none that ships knows the generator's set.
    """
    if Path(trained_on(made)).name == JUDGED:
        return JUDGE
    raise BadInput(
        f"generator '{made.name}' was trained on {trained_on(made)}, which no judge that ships has seen: give"
        " --judge=REF, a classifier trained on that set (fergen train --config=procedural_small for procedural faces)"
    )


def write(folder: Path, report: generation.Report) -> None:
    """Write a report: scores.json (flat; an undefined figure is null), and the pictures beside it."""
    from fergen.show import confusion
    from fergen.show import faces as pictures

    scores = {key: None if math.isnan(value) else value for key, value in report.scores.items()}
    write_json(folder / "scores.json", report.about | scores)
    arrays, classes = report.arrays, report.classes
    rows = len(arrays["samples"])
    pictures.grid(arrays["samples"], folder / "samples.png", classes=classes if rows == len(classes) else None)
    if "confusion" in arrays:
        confusion.draw(arrays["confusion"], classes, folder / "confusion.png")
    if "neighbours/faces" in arrays:
        found = (arrays[f"neighbours/{part}"] for part in ("faces", "nearest", "distances"))
        pictures.neighbours(*found, folder / "neighbours.png")
    if "relabelled" in arrays:
        pictures.relabelled(arrays["relabelled"], folder / "relabelled.png", classes=classes)
