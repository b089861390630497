"""A classifier by reference, as camera and web page use it: faces in, calibrated probabilities out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

# Where no evaluation chose a threshold: the class that is more probable than all others together.
UNKNOWN = 0.5


@dataclass(frozen=True)
class Classifier:
    """A classifier ready for use.

    Attributes:
        name: the reference.
        classes: C names.
        size: (height, width) of its images, in pixels.
        channels: 1 or 3.
        card: what is known of the weights: use, scores, temperature, threshold.
        probabilities: images uint8 [n, h, w, c] -> float32 [n, C], rows sum to 1, at the card's temperature.
    """

    name: str
    classes: tuple[str, ...]
    size: tuple[int, int]
    channels: int
    card: dict[str, Any]
    probabilities: Callable[[np.ndarray], np.ndarray]

    @property
    def threshold(self) -> float:
        """The least probability that is named: the card's, chosen on validation, or `UNKNOWN`."""
        return self.card.get("threshold", UNKNOWN)


def load(reference: str) -> Classifier:
    """Load a classifier: any reference to weights, or a .onnx file of `fergen export`, which needs no jax.

    Raises:
        BadInput: nothing is there, it is damaged, or it is no classifier.
    """
    if reference.endswith(".onnx"):
        from fergen.export import runtime

        net = runtime.classifier(reference)
        return Classifier(reference, net.classes, net.size, net.channels, net.card, net.probabilities)
    from fergen.evals.predict import of_restored
    from fergen.tasks.state import require_classifier
    from fergen.train.restore import restore

    found = restore(reference)
    spec = found.spec
    require_classifier(found, f"weights '{reference}'")
    image, predicted = spec["image"], of_restored(found)
    size = (image["height"], image["width"])

    def probabilities(images: np.ndarray) -> np.ndarray:
        return predicted(images, len(images))

    return Classifier(reference, tuple(spec["classes"]), size, image["channels"], found.card, probabilities)
