"""Every score of a classifier on a split, each with a bootstrap interval."""

from typing import Any

import numpy as np

from fergen.core.errors import BadInput
from fergen.data.vocabulary import VOCABULARIES, mapping
from fergen.metrics import calibration, classification
from fergen.metrics.bootstrap import intervals


def align(logits: np.ndarray, from_classes: tuple[str, ...], to_classes: tuple[str, ...]) -> np.ndarray:
    """Pick the columns of a classifier's logits that are a split's classes, in the split's order.

    Columns left out leave the argmax and the softmax, which is how a classifier of seven answers a question about five.

    Args:
      logits: float [n, len(from_classes)], logits or log-probabilities.
      from_classes: the classifier's class names.
      to_classes: the split's class names.

    Returns:
      float [n, len(to_classes)].

    Raises:
      BadInput: the classifier lacks one of the split's classes.
    """
    columns = mapping(to_classes, from_classes)
    missing = [name for name, column in zip(to_classes, columns) if column < 0]
    if missing:
        raise BadInput(
            f"the data have class {', '.join(missing)}, which the weights lack (they know "
            f"{', '.join(from_classes)}): choose a vocabulary that both have, such as --vocabulary five"
        )
    return logits[:, columns]


def measure(
    logits: np.ndarray,
    labels: np.ndarray,
    classes: tuple[str, ...],
    *,
    temperature: float = 1.0,
    bootstrap: int = 1000,
    seed: int = 0,
) -> dict[str, float]:
    """Measure predictions against labels.

    Args:
      logits: float [n, C], logits or log-probabilities.
      labels: int [n] in [0, C).
      classes: C names.
      temperature: divides the logits for probabilities (AUROC, calibration, NLL, Brier); the argmax does not change.
      bootstrap: resamples per interval; 0 for no intervals.
      seed: of the resamples.

    Returns:
      `n` and `n/<class>`; then with `.low` and `.high` beside each: `accuracy`, `macro_f1`, `macro_recall`,
      `macro_precision`, `auroc` (one-vs-rest, macro), `top2`, `nll`, `brier`, `ece`, `ece_uncalibrated` (at temperature
      1), and per class `accuracy/`, `recall/` (the same figure by its other name), `precision/`, `f1/`, `auroc/`. A
      figure that a class without rows leaves undefined is NaN. Without intervals the counts of the confusion matrix,
      `confusion/<true>/<predicted>`. `{'n': 0}` without rows.
    """
    n, num_classes = len(labels), len(classes)
    if n == 0:
        return {"n": 0}
    log_probabilities = calibration.log_softmax(logits, temperature)
    probabilities = np.exp(log_probabilities)
    predictions = logits.argmax(1)
    correct = predictions == labels
    uncalibrated = calibration.softmax(logits).max(1)
    means = {
        "nll": calibration.nll(log_probabilities, labels),
        "brier": calibration.brier(probabilities, labels),
        "top2": classification.top_k(logits, labels, min(2, num_classes)).astype(np.float64),
    }
    stacked = np.stack(list(means.values()), axis=1)

    def statistics(rows: np.ndarray) -> dict[str, np.ndarray]:
        counts = classification.confusion(labels, predictions, num_classes, rows)
        per_class = {
            "recall": classification.recall(counts),
            "precision": classification.precision(counts),
            "f1": classification.f1(counts),
            "auroc": np.stack(
                [classification.auroc(probabilities[:, c], labels == c, rows) for c in range(num_classes)], axis=-1
            ),
        }
        per_class["accuracy"] = per_class["recall"]
        error = calibration.expected_calibration_error
        result = {
            "accuracy": classification.accuracy(counts),
            "macro_f1": classification.macro(per_class["f1"]),
            "macro_recall": classification.macro(per_class["recall"]),
            "macro_precision": classification.macro(per_class["precision"]),
            "auroc": classification.macro(per_class["auroc"]),
            "ece": error(probabilities.max(1), correct, multiplicities=rows),
            "ece_uncalibrated": error(uncalibrated, correct, multiplicities=rows),
            **dict(zip(means, (rows @ stacked / n).T)),
        }
        for kind in ("accuracy", "recall", "precision", "f1", "auroc"):
            result |= {f"{kind}/{name}": per_class[kind][:, c] for c, name in enumerate(classes)}
        return result

    scores: dict[str, float] = {"n": n}
    scores |= {f"n/{name}": int((labels == c).sum()) for c, name in enumerate(classes)}
    for name, (value, low, high) in intervals(statistics, n, resamples=bootstrap, seed=seed).items():
        scores[name] = value
        if bootstrap:
            scores |= {f"{name}.low": low, f"{name}.high": high}
    counts = classification.confusion(labels, predictions, num_classes)
    return scores | {
        f"confusion/{true}/{predicted}": int(counts[t, p])
        for t, true in enumerate(classes)
        for p, predicted in enumerate(classes)
    }


def evaluate(
    logits: np.ndarray,
    split: Any,
    *,
    temperature: float = 1.0,
    bootstrap: int = 1000,
    seed: int = 0,
    prefix: str = "",
) -> dict[str, float]:
    """Measure a classifier on a split, and again under every restriction that tells a fair score from a lucky one.

    Args:
      logits: float [n, C], logits or log-probabilities in the order of the split's rows and classes (see `align`).
      split: has `.labels` int [n], `.spec.classes`, and `.rows` with optional `twin` bool [n] and `ferplus` int [n].
      temperature: fitted on `validation`; see `measure`.
      bootstrap: resamples per interval.
      seed: of the resamples.
      prefix: put before every name, such as "tta/".

    Returns:
      The names of `measure`; the same under `no_twins/` (rows without a pixel-identical training image), under
      `ferplus/` (labels from the FER+ majority in the split's classes, rows that have one), under `five/` (rows of the
      five common classes, predictions restricted to them) where the split allows them; and `temperature`.
    """
    options = {"bootstrap": bootstrap, "seed": seed}
    classes, labels = tuple(split.spec.classes), np.asarray(split.labels)
    parts = {"": measure(logits, labels, classes, temperature=temperature, **options)}
    if "twin" in split.rows:
        kept = ~np.asarray(split.rows["twin"], bool)
        parts["no_twins/"] = (
            parts[""]
            if kept.all()
            else measure(logits[kept], labels[kept], classes, temperature=temperature, **options)
        )
    if "ferplus" in split.rows:
        majority = np.asarray(split.rows["ferplus"])
        kept = majority >= 0
        parts["ferplus/"] = measure(logits[kept], majority[kept], classes, temperature=temperature, **options)
    five = VOCABULARIES["five"]
    if set(five) < set(classes):
        to_five = mapping(classes, five)[labels]
        kept = to_five >= 0
        restricted = align(logits, classes, five)[kept]
        parts["five/"] = measure(restricted, to_five[kept], five, temperature=temperature, **options)
    scores = {f"{prefix}{part}{name}": value for part, named in parts.items() for name, value in named.items()}
    return scores | {f"{prefix}temperature": temperature}


def arrays(logits: np.ndarray, split: Any, *, temperature: float = 1.0) -> dict[str, Any]:
    """Give the arrays behind a split's pictures.

    Args:
      logits: float [n, C] as in `evaluate`.
      split: as in `evaluate`.
      temperature: as in `evaluate`.

    Returns:
      `confusion` int64 [C, C] (row = true), `probabilities` float32 [n, C], `reliability` (at the temperature) and
      `reliability_uncalibrated`, both a `metrics.calibration.Reliability`.
    """
    from sklearn.metrics import confusion_matrix

    labels = np.asarray(split.labels)
    probabilities = calibration.softmax(logits, temperature)
    correct = logits.argmax(1) == labels
    return {
        "confusion": confusion_matrix(labels, logits.argmax(1), labels=np.arange(len(split.spec.classes))),
        "probabilities": probabilities.astype(np.float32),
        "reliability": calibration.reliability(probabilities.max(1), correct),
        "reliability_uncalibrated": calibration.reliability(calibration.softmax(logits).max(1), correct),
    }
