"""Do synthetic faces, or the networks behind them, give away who was in the training set?

The motive of the study of synthetic training data: faces of nobody. A generator that copies has faces nearer to its
training set than real held-out faces are. All of it on faces without twins: an image that stands in training and
elsewhere would be found everywhere.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from fergen.core.fields import pairs
from fergen.data import dataset, labels
from fergen.data.training_set import stratified
from fergen.data.vocabulary import mapping
from fergen.evals import closeness, membership, predictions
from fergen.show import faces as pictures
from fergen.show.report import Report
from fergen.studies import reporting, summary, synthetic
from fergen.studies.runs import Outcome, Study, slug
from fergen.tasks.gan_maps import Maps
from fergen.train import feature_spaces
from fergen.train.restore import restore

SHOWN, BESIDE = 8, 4


def run(study: Study) -> Outcome:
    """Run the study."""
    config = study.config
    dataset.draw_procedural(config.data, quiet=study.quiet)
    spec = dataset.spec_of(config.data)
    weights, sets = synthetic.of_each(study, spec.image_shape, config.n)
    train, held_out = labels.once(dataset.load(config.data, "train")), untwinned(study)
    splits = {name: dataset.load(folder, "train") for name, folder in sets.items()}
    made = {name: labels.rows_of(s, stratified(s.labels, min(config.n, len(s)))) for name, s in splits.items()}
    page = reporting.begin(study, "Privacy", (
        f"{len(train):,} training faces, {len(held_out):,} real faces that were not trained on, none a twin of another,"
        f" and {config.n:,} of each generator."
    ))  # fmt: skip
    table = []
    for name, vectors in spaces(config.features):
        near, real = vectors(train.images), vectors(held_out.images)
        for source, split in made.items():
            scores, distance, index = closeness.compare(vectors(split.images), near, real, k=BESIDE)
            table.append({"space": name, "generator": source} | scores)
            if name == "pixels":
                page.section(f"The closest pairs of {source}")
                page.picture(closest(study, source, split.images, train.images, distance, index), caption=(
                    "Left: generated; beside it its nearest training faces, with the root-mean-square difference."
                ))  # fmt: skip
    page.section("Distances to the nearest training face")
    page.table(table, caption=(
        "`under the 1 % quantile`: generated faces nearer to a training face than all but 1 % of real held-out ones"
        " are; 1 % is what strangers have. `nearer to training`: nearer to the nearest training face than to the"
        " nearest of as many held-out ones; half is what strangers have."
    ))  # fmt: skip
    networks = weights | pairs("classifiers", config.classifiers)
    attacks = [attack(name, reference, train, held_out, config.n) for name, reference in networks.items()]
    page.section("Membership inference")
    page.table(attacks, caption="Area under the ROC curve, .5 gives nothing away; 95 % bootstrap intervals.")
    rows = private(study, page) if config.epsilons else []
    return reporting.end(study, page, table=table, rows=rows, scores={"membership": attacks})


def untwinned(study: Study) -> dataset.Split:
    """Return the real faces that were not trained on: validation, cut apart by pixels, and the study's split."""
    found = dataset.load(study.config.data, "validation")
    if study.config.split != "validation":
        found = labels.join(found, dataset.load(study.config.data, study.config.split))
    twin = found.rows.get("twin", np.zeros(len(found), bool))
    return labels.once(labels.rows_of(found, np.flatnonzero(~twin)))


def spaces(features: Sequence[str]) -> Iterator[tuple[str, Callable[[np.ndarray], np.ndarray]]]:
    """Yield (name, images uint8 [n, h, w, c] -> vectors [n, d]) of pixels and of each feature space.

    Distances between pixels are root-mean-square differences in [0, 255].
    """

    def pixels(images: np.ndarray) -> np.ndarray:
        flat = np.asarray(images, np.float32).reshape(len(images), -1)
        return flat / np.sqrt(flat.shape[1])

    yield "pixels", pixels
    for name in features:
        space = feature_spaces.load(name)
        yield space.name, partial(predictions.logits, space.fn, space.variables, batch=64)


def closest(study: Study, source: str, made: np.ndarray, train: np.ndarray, distance: np.ndarray, index: np.ndarray):
    """Draw the generated faces that are nearest to a training face, with their nearest ones."""
    shown = np.argsort(distance[:, 0], kind="stable")[:SHOWN]
    near = np.asarray(train)[index[shown].ravel()].reshape(len(shown), index.shape[1], *train.shape[1:])
    path = study.workdir / "pictures" / f"{slug(source)}_closest.png"
    return pictures.neighbours(made[shown], near, distance[shown], path)


def attack(name: str, reference: str, train: dataset.Split, held_out: dataset.Split, n: int) -> dict[str, Any]:
    """Return a network's row: how well members of its training set are told from others."""
    net = restore(reference)
    kind = membership.kind(net.predict)
    if kind is None:
        return {"network": name, "attack by": "nothing to ask"}
    maps = None
    if "maps" in net.spec:
        seen = restore(net.spec["maps"]["name"])
        maps = partial(Maps(seen.predict["maps"], tuple(net.spec["maps"]["layers"])), seen.variables)
    rng, found = np.random.default_rng(0), []
    for split in (train, held_out):
        rows = np.sort(rng.permutation(len(split))[:n])
        label = mapping(split.spec.classes, net.spec["classes"])[split.labels[rows]]
        rows, label = rows[label >= 0], label[label >= 0]
        images = split.images[rows]
        found.append(membership.evidence(net.predict, net.variables, images, label, maps=maps))
    scores = membership.infer(*found)
    area = f"{scores['auc']:.3f} [{scores['auc.low']:.3f}, {scores['auc.high']:.3f}]"
    return {"network": name, "attack by": kind, "AUC": area, "members": len(found[0]), "others": len(found[1])}


def private(study: Study, page: Report) -> list[dict[str, Any]]:
    """Train a classifier under differential privacy at several epsilons, and without, and add their section."""
    config = study.config
    arms = {f"epsilon {epsilon:g}": (f"privacy.epsilon={epsilon}",) for epsilon in config.epsilons}
    rows = study.compare(study.trainings({"not private": ("privacy.epsilon=0.0",)} | arms, config.private))
    table = summary.table(rows, {"accuracy, %": "accuracy", "macro-F1, %": "macro_f1"}, head="training")
    page.section("Differentially private training")
    page.table(table, caption=(
        f"`{config.private}`, {config.steps:,} steps, tested on the split `{config.split}`. A network trained with"
        " (ε, δ) differential privacy is nearly the same, up to a factor of e to the ε in all chances, without any one"
        " face."
    ))  # fmt: skip
    return rows
