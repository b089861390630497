"""When to say "uncertain": below a threshold of confidence, that of the weights' card or one chosen on another set."""

import numpy as np

from fergen.core.errors import BadInput
from fergen.live.classifier import Classifier
from fergen.metrics import selective

UNCERTAIN = "uncertain"
SPLIT = "validation"


def choose(classifier: Classifier, name: str, accuracy: float = selective.ACCURACY) -> selective.Choice:
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
    said = np.concatenate([classifier.probabilities(np.asarray(part)) for part in parts])
    found = selective.choose(said, faces.labels, accuracy)
    if found is None:
        raise BadInput(f"--accuracy={accuracy}: no threshold reaches it on these {len(faces):,} faces; ask for less")
    return found


def named(probabilities: np.ndarray, classes: tuple[str, ...], least: float) -> str:
    """Return the most probable class, or UNCERTAIN where its probability is below `least`."""
    best = int(np.argmax(probabilities))
    return classes[best] if probabilities[best] >= least else UNCERTAIN
