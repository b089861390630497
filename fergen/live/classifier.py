"""A classifier by reference, as camera and web page use it: faces in, calibrated probabilities out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fergen.core.errors import BadInput


@dataclass(frozen=True)
class Classifier:
    """A classifier ready for use.

    Attributes:
        name: the reference.
        classes: C names.
        size: (height, width) of its images, in pixels.
        channels: 1 or 3.
        card: what is known of the weights: use, scores, temperature.
        probabilities: images uint8 [n, h, w, c] -> float32 [n, C], rows sum to 1, at the card's temperature.
    """

    name: str
    classes: tuple[str, ...]
    size: tuple[int, int]
    channels: int
    card: dict[str, Any]
    probabilities: Callable[[np.ndarray], np.ndarray]


def load(reference: str) -> Classifier:
    """Load a classifier: any reference to weights, or a .onnx file of `fergen export`, which needs no jax.

    Raises:
        BadInput: nothing is there, it is damaged, or it is no classifier.
    """
    if reference.endswith(".onnx"):
        from fergen.export import runtime

        net = runtime.classifier(reference)
        return Classifier(reference, net.classes, net.size, net.channels, net.card, net.probabilities)
    from fergen.evals import predictions
    from fergen.metrics.calibration import softmax
    from fergen.train.restore import restore

    found = restore(reference)
    spec, card = found.spec, found.card
    if spec["task"] != "classifier":
        raise BadInput(f"weights '{reference}': expected a classifier, found a {spec['task']}")
    image = spec["image"]
    size = (image["height"], image["width"])

    def probabilities(images: np.ndarray) -> np.ndarray:
        logits = predictions.logits(found.predict["logits"], found.variables, images, batch=len(images))
        return softmax(logits, card.get("temperature", 1.0)).astype(np.float32)

    return Classifier(reference, tuple(spec["classes"]), size, image["channels"], card, probabilities)
