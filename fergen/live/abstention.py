"""When to say "uncertain": a threshold of confidence, chosen where the answers that are left are right often enough."""

from typing import NamedTuple

import numpy as np

from fergen.core.errors import BadInput
from fergen.live.classifier import Classifier

UNCERTAIN = "uncertain"
# `choose` for fer2013_small on FER2013's validation, n = 2,878: right 80 % of the time, on 65 % of the faces.
ACCURACY, THRESHOLD = 0.8, 0.59
SPLIT = "validation"


class Choice(NamedTuple):
    """A threshold and what it does on the faces it was chosen on.

    Attributes:
        threshold: the least probability of the most probable class that is answered.
        accuracy: of the answers.
        coverage: share of the faces that are answered.
        n: faces.
    """

    threshold: float
    accuracy: float
    coverage: float
    n: int


def threshold(probabilities: np.ndarray, labels: np.ndarray, accuracy: float = ACCURACY) -> Choice:
    """Return the least threshold, in hundredths, above which the answers reach an accuracy.

    This is selective classification's rule: the most answers at a given risk (Geifman and El-Yaniv 2017).

    Args:
        probabilities: float [n, C], rows sum to 1.
        labels: int [n].
        accuracy: in (0, 1].

    Raises:
        BadInput: no threshold reaches it.
    """
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    for hundredths in range(101):
        answered = confidence >= hundredths / 100
        if answered.any() and right[answered].mean() >= accuracy:
            return Choice(hundredths / 100, float(right[answered].mean()), float(answered.mean()), len(labels))
    raise BadInput(f"--accuracy={accuracy}: no threshold reaches it on these {len(labels):,} faces; ask for less")


def choose(classifier: Classifier, name: str, accuracy: float = ACCURACY) -> Choice:
    """Choose a classifier's threshold on a prepared set's validation split; test splits have no part in choices.

    Raises:
        BadInput: there is no such set, its classes are others, or no threshold reaches the accuracy.
    """
    from fergen.data import dataset

    faces = dataset.load(name, SPLIT)
    if faces.spec.classes != classifier.classes:
        raise BadInput(
            f"the set '{name}' has the classes {', '.join(faces.spec.classes)}, the weights '{classifier.name}'"
            f" {', '.join(classifier.classes)}: choose on a set with the classifier's classes"
        )
    if faces.images.shape[1:] != (*classifier.size, classifier.channels):
        raise BadInput(
            f"the set '{name}' has images of {faces.images.shape[1:]}, the weights '{classifier.name}' read"
            f" {(*classifier.size, classifier.channels)}: prepare the set at that size"
        )
    parts = [faces.images[start : start + 256] for start in range(0, len(faces), 256)]
    return threshold(np.concatenate([classifier.probabilities(np.asarray(p)) for p in parts]), faces.labels, accuracy)


def named(probabilities: np.ndarray, classes: tuple[str, ...], least: float) -> str:
    """Return the most probable class, or UNCERTAIN where its probability is below `least`."""
    best = int(np.argmax(probabilities))
    return classes[best] if probabilities[best] >= least else UNCERTAIN
