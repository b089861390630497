"""Selective classification: answer only where the network is sure enough to be right often enough.

Geifman & El-Yaniv 2017 (arXiv:1705.08500): the most answers at a given risk, chosen by the confidence of the answer.
"""

from typing import NamedTuple

import numpy as np

ACCURACY = 0.8


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


def at(probabilities: np.ndarray, labels: np.ndarray, threshold: float) -> Choice:
    """Return what a threshold does; the accuracy is nan where nothing is answered.

    Args:
        probabilities: float [n, C], rows sum to 1.
        labels: int [n].
        threshold: in [0, 1].
    """
    answered = probabilities.max(1) >= threshold
    right = (probabilities.argmax(1) == labels)[answered]
    accuracy = float(right.mean()) if len(right) else float("nan")
    return Choice(threshold, accuracy, float(answered.mean()), len(labels))


def choose(probabilities: np.ndarray, labels: np.ndarray, accuracy: float = ACCURACY) -> Choice | None:
    """Return the least threshold, in hundredths, above which the answers reach an accuracy, or None where none does.

    Args:
        probabilities: float [n, C], rows sum to 1.
        labels: int [n].
        accuracy: of the answers that are left, in (0, 1].
    """
    found = (at(probabilities, labels, hundredths / 100) for hundredths in range(101))
    return next((choice for choice in found if choice.accuracy >= accuracy), None)
