"""Which labels are wrong, and what correcting them does: out-of-fold predictions against other people's votes.

Ranked by the margin of confident learning (Northcutt, Jiang, Chuang 2021, arXiv:1911.00068, section 3.1): how much more
probable than its own class a row's best class is, each class measured by the mean probability of its own rows. Every
row is predicted by a network that did not see it, nor any image identical to it.
"""

from typing import Any

import numpy as np

from fergen.data import corrections, dataset, training_set
from fergen.evals import predictions
from fergen.metrics.calibration import softmax
from fergen.show import lines, mistakes
from fergen.studies import reporting, summary
from fergen.studies.runs import Outcome, Study
from fergen.train.restore import restore

SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3)


def run(study: Study) -> Outcome:
    """Run the study."""
    config = study.config
    dataset.draw_procedural(config.data, quiet=study.quiet)
    train, truth, noisy = labelled(study)
    parts = {f"without part {i}": (*noisy, f"data.leave_out={i}/{config.folds}") for i in range(1, config.folds + 1)}
    folds = [member for member in study.trainings(parts, config.classifier, measured=[]) if member.seed == 0]
    summary.require_all(study.compare(folds, "train the folds"), "label quality")
    probabilities = out_of_fold(train, folds)
    margin, other = suspicion(probabilities, train.labels)
    order = np.argsort(-margin, kind="stable")
    n = round(config.share * len(train))
    page = reporting.begin(study, "Label quality", (
        f"{len(train):,} training labels, each predicted by one of {config.folds} networks (`{config.classifier}`,"
        f" {config.steps:,} steps) that did not see it, and ranked by how much more probable another class is."
    ))  # fmt: skip
    found = lift(margin, train.labels, truth)
    page.section("Are suspicious labels wrong?")
    if found:
        page.table(found, caption=config.noise and "Wrong: the labels that were changed at random." or (
            "Wrong: the majority of ten FER+ votes names another class; rows without a majority are left out. Lift is"
            " the share over the base rate, that of all rows."
        ))  # fmt: skip
        points = [lines.Point(row["most suspicious"], row["lift"]) for row in found]
        page.picture(
            lines.draw({"lift": points}, study.workdir / "pictures" / "lift.png", x="share of rows, most suspicious",
                       y="wrong labels over the base rate", level={"chance": 1.0}, log=True)
        )  # fmt: skip
    else:
        page.text("Nobody knows: the set has no second opinion on its labels, or no label that differs from it.")
    page.section("The most suspicious")
    picture, shown = study.workdir / "pictures" / "suspicious.png", order[:24]
    title = "training faces whose labels are least believed"
    classes, faces = train.spec.classes, (train.images[shown], probabilities[shown], train.labels[shown])
    if mistakes.draw(*faces, classes, picture, title=title):
        page.picture(picture)
    rows = retrained(study, train, order[:n], other, noisy)
    columns = {"accuracy, %": "accuracy", "macro-F1, %": "macro_f1", "by FER+ majority, %": "ferplus/accuracy"}
    table = summary.table(rows, columns, head=f"{n:,} labels")
    page.section("Does correcting them help?")
    page.table(table, caption=f"Tested on the split `{config.split}`, whose labels stay as they are.")
    return reporting.end(study, page, table=table, rows=rows, scores={"lift": found})


def labelled(study: Study) -> tuple[dataset.Split, np.ndarray, tuple[str, ...]]:
    """Return the training split, what its labels should be (-1: nobody knows), and the fields that give it its labels.

    Labels are changed at random where the study asks for noise, to see whether it finds them.
    """
    config = study.config
    train = dataset.load(config.data, "train")
    if not config.noise:
        return train, train.rows.get("ferplus", np.full(len(train), -1)), ()
    rng, classes = np.random.default_rng(0), train.spec.classes
    wrong = np.flatnonzero(rng.random(len(train)) < config.noise)
    label = (train.labels[wrong] + rng.integers(1, len(classes), len(wrong))) % len(classes)
    path = corrections.write(study.workdir, "noise", train.rows["id"][wrong], [classes[c] for c in label])
    return corrections.apply(train, path), train.labels, (f"data.relabel={path}",)


def out_of_fold(train: dataset.Split, folds: list) -> np.ndarray:
    """Return each row's probabilities by the network that did not see it: float [n, C]."""
    part = training_set.parts(train, len(folds))
    found = np.zeros((len(train), len(train.spec.classes)), np.float32)
    for i, member in enumerate(folds):
        net, rows = restore(member.run), np.flatnonzero(part == i)
        if len(rows):
            found[rows] = softmax(predictions.logits(net.predict["logits"], net.variables, train.images[rows]))
    return found


def suspicion(probabilities: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how suspicious each label is, and the class that makes it so.

    Args:
        probabilities: float [n, C], out of fold.
        label: int [n].

    Returns:
        The best other class's probability less that of the label, each less its class's mean, float [n]; and that
        class, int [n].
    """
    rows, k = np.arange(len(label)), probabilities.shape[1]
    threshold = np.array([probabilities[label == c, c].mean() if (label == c).any() else 1.0 for c in range(k)])
    relative = probabilities - threshold
    own = relative[rows, label]
    relative[rows, label] = -np.inf
    return relative.max(1) - own, relative.argmax(1)


def lift(margin: np.ndarray, label: np.ndarray, truth: np.ndarray) -> list[dict[str, Any]]:
    """Return, for shares of the most suspicious rows, how many of them are wrong, and that over the base rate.

    Nothing where no row is known to be wrong.
    """
    known = np.flatnonzero(truth >= 0)
    wrong = (label != truth)[known][np.argsort(-margin[known], kind="stable")]
    found = []
    for share in SHARES if wrong.any() else ():
        n = max(1, round(share * len(wrong)))
        hit = float(wrong[:n].mean())
        base = float(wrong.mean())
        found.append({"most suspicious": share, "rows": n, "wrong": hit, "base rate": base, "lift": hit / base})
    return found


def retrained(study: Study, train: dataset.Split, suspects: np.ndarray, other: np.ndarray, noisy: tuple) -> list:
    """Train with the suspects' labels as they are, corrected, left out, and as many random rows left out."""
    config, ids, classes = study.config, train.rows["id"], train.spec.classes
    others = np.random.default_rng(1).permutation(len(train))[: len(suspects)]
    # A file says all: the noise stays in the rows that are not corrected.
    names = {"corrected": [classes[c] for c in other[suspects]], "left out": [""] * len(suspects)}
    plans = {form: dict(zip(ids[suspects], each)) for form, each in names.items()}
    plans["random rows left out"] = dict.fromkeys(ids[others], "")
    changed = {row: classes[c] for row, c in zip(ids, train.labels)} if noisy else {}
    arms: dict[str, tuple[str, ...]] = {"as they are": noisy}
    for form, plan in plans.items():
        whole = changed | plan
        path = corrections.write(study.workdir, form.replace(" ", "_"), np.array(list(whole)), [*whole.values()])
        arms[form] = (f"data.relabel={path}",)
    return study.compare(study.trainings(arms, config.classifier))
