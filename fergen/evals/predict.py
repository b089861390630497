"""Class probabilities for a user's own images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from fergen.core.clock import Progress
from fergen.core.errors import BadInput
from fergen.data import inputs
from fergen.data.detect import Detector

# Decoded images held at a time, in batches.
_BATCHES = 8
_THUMBNAIL = 256
BOX = ("x", "y", "width", "height")


@dataclass(frozen=True)
class Predictions:
    """What a classifier says about a user's images.

    Attributes:
      sources: n file names or row numbers.
      classes: C names.
      probabilities: float32 [n, C], rows sum to 1.
      thumbnails: the first images, uint8 [h, w, c] each, as many as were asked for.
      boxes: where faces were looked for, (x, y, width, height) of each in pixels of its picture.
      missed: pictures without a face.
    """

    sources: list[str | int]
    classes: tuple[str, ...]
    probabilities: np.ndarray
    thumbnails: list[np.ndarray]
    boxes: list[tuple[float, float, float, float]]
    missed: list[str | int]

    @property
    def predicted(self) -> list[str]:
        """The most probable class of each image."""
        return [self.classes[c] for c in self.probabilities.argmax(1)]

    def rows(self) -> list[dict[str, Any]]:
        """Return one dict per image: `source`, its box where there is one, a probability per class, `prediction`."""
        return [
            {
                "source": source,
                **(dict(zip(BOX, map(float, self.boxes[i]))) if self.boxes else {}),
                **dict(zip(self.classes, map(float, self.probabilities[i]))),
                "prediction": self.predicted[i],
            }
            for i, source in enumerate(self.sources)
        ]


def predict(
    weights: Any,
    paths: Sequence[str | Path],
    *,
    decoder: Any = None,
    find: Detector | None = None,
    batch: int = 256,
    thumbnails: int = 0,
    quiet: bool = True,
) -> Predictions:
    """Classify images, folders of images and tables of pixels.

    Images are brought to the network's size and channels while they are decoded, as `fergen prepare` does it. An image
    is taken to be a face, cropped, unless faces are to be found. Probabilities are at the temperature that the weights'
    card names, if any.

    Args:
      weights: `.spec` (`classes`, `image`); and restored ones, `.predict["logits"]`, `.variables` and `.card`, or those
        of a file that another program runs, `.probabilities(images, batch)`.
      paths: see `fergen.data.inputs.read`, as for the next.
      decoder: of images.
      find: who finds the faces in photographs, which are then aligned; None takes each image for one.
      batch: images per compiled call, at most.
      thumbnails: how many of the first images to return, for a picture.
      quiet: show no progress.

    Returns:
      A Predictions, in the order of the paths; of a photograph a row per face, from left to right.

    Raises:
      BadInput: see `fergen.data.inputs.read`; or there is no face in any photograph.
    """
    size = weights.spec["image"]
    probabilities = getattr(weights, "probabilities", None) or of_restored(weights)
    shape, channels = (size["height"], size["width"]), size["channels"]
    sources: list[str | int] = []
    shown: list[np.ndarray] = []
    found: list[np.ndarray] = []
    boxes: list[tuple[float, float, float, float]] = []
    missed: list[str | int] = []
    source = inputs.read(paths, decoder)
    if find is not None:
        from fergen.data import found as finding

        source = finding.faces(source, find, shape, channels, missed.append)
    with Progress(None, label="predict", quiet=quiet) as progress:
        while part := list(islice(source, _BATCHES * batch)):
            # A few images get a small batch; once a block was full, all later calls have its shape.
            batch = batch if found else min(batch, len(part))
            for item in part[: max(0, thumbnails - len(shown))]:
                shown.append(_thumbnail(item))
            pixels = np.stack([item.decode(shape, channels) for item in part])
            sources += [item.source for item in part]
            boxes += [item.box for item in part if item.box]
            found.append(probabilities(pixels, batch))
            progress.update(len(part))
    if not found:
        raise BadInput(f"expected a face in a photograph at least, found none in {len(missed)}")
    return Predictions(sources, tuple(weights.spec["classes"]), np.concatenate(found), shown, boxes, missed)


def of_restored(restored: Any) -> Callable[[np.ndarray, int], np.ndarray]:
    """Return (images uint8 [n, h, w, c], images per compiled call) -> probabilities float32 [n, C]."""
    from fergen.evals import predictions
    from fergen.metrics.calibration import softmax

    def probabilities(images: np.ndarray, batch: int) -> np.ndarray:
        logits = predictions.logits(restored.predict["logits"], restored.variables, images, batch=batch)
        return softmax(logits, restored.card.get("temperature", 1.0)).astype(np.float32)

    return probabilities


def _thumbnail(item: inputs.Input) -> np.ndarray:
    whole = item.decode(None, None)
    ratio = _THUMBNAIL / max(whole.shape[:2])
    if ratio >= 1:
        return whole
    return item.decode((max(1, round(whole.shape[0] * ratio)), max(1, round(whole.shape[1] * ratio))), None)
