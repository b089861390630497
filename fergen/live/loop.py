"""The way of a frame: faces detected or followed, cropped, classified in one batch, smoothed, named."""

import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from fergen.data.align import crop
from fergen.data.detect import Detector, Face, scaled
from fergen.live.abstention import named
from fergen.live.classifier import Classifier
from fergen.live.smoothing import Smoother
from fergen.live.source import Frame, Source
from fergen.live.tracking import Tracker

# Faces per call of the classifier: a call is filled up to the next of these, so that nothing is compiled on the way.
BATCHES = (1, 2, 4, 8)
# The longer side of the picture that faces are looked for in; a face in a larger frame is found there, cropped here.
SIDE = 640
# Of that picture: who looks into a camera is near, and to look for larger faces alone takes half of the time.
SMALLEST = 40
EVERY, CONSTANT = 10, 0.4
_PACE = 2.0  # seconds over which frames per second are counted


@dataclass(frozen=True)
class Expression:
    """A face in a frame, and the expression it shows; which is not an inner feeling.

    Attributes:
        id: the face's number, the same as long as it is followed.
        face: where it is.
        detected: by the detector in this frame, or followed from the one before.
        raw: float32 [C], what the classifier says of this frame alone.
        probabilities: float64 [C], smoothed over time.
        name: the most probable class, or "uncertain".
    """

    id: int
    face: Face
    detected: bool
    raw: np.ndarray
    probabilities: np.ndarray
    name: str


@dataclass(frozen=True)
class Seen:
    """A frame and what is seen in it.

    Attributes:
        frame: the frame.
        faces: the expressions, in the order of their ids.
        rate: frames per second that are worked through at present.
    """

    frame: Frame
    faces: list[Expression]
    rate: float


def watch(
    source: Source,
    classifier: Classifier,
    detect: Detector,
    *,
    threshold: float,
    every: int = EVERY,
    constant: float = CONSTANT,
    stop: threading.Event | None = None,
) -> Iterator[Seen]:
    """Yield every frame of a source with the expressions in it.

    Args:
        source: see `fergen.live.source.open_source`.
        classifier: see `fergen.live.classifier.load`; warm it up first.
        detect: see `fergen.data.detect.detector`.
        threshold: the least probability of a class that is named.
        every: frames from one detection to the next; in between, faces are followed.
        constant: seconds of smoothing.
        stop: set it to end after the frame at hand.

    Raises:
        Broken: the source ended too soon; all its frames were yielded.
    """
    tracker, smoother, pace = Tracker(), Smoother(constant), Pace()
    shrink = min(1.0, SIDE / max(source.size))
    for number, frame in enumerate(source.frames(stop)):
        small = frame.image
        if shrink < 1:
            small = cv2.resize(small, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        # A face that is new is looked for once more in the next frame: false ones seldom last.
        due = number % every == 0 or (number % every == 1 and tracker.unsure)
        found = detect(small) if due else None
        tracks = tracker.update(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), frame.time, found)
        faces = [scaled(track.face, 1 / shrink) for track in tracks]
        raw = classify(classifier, [cut(frame.image, face, classifier) for face in faces])
        smoothed = [smoother.update(track.id, frame.time, p) for track, p in zip(tracks, raw)]
        smoother.keep(track.id for track in tracker.tracks)
        expressions = [
            Expression(track.id, face, track.detected, p, q, named(q, classifier.classes, threshold))
            for track, face, p, q in zip(tracks, faces, raw, smoothed)
        ]
        yield Seen(frame, expressions, pace.tick(time.monotonic()))


def cut(image: np.ndarray, face: Face, classifier: Classifier) -> np.ndarray:
    """Cut a face out of a frame, uint8 [h, w, c], as the classifier reads it."""
    return crop(image, face, size=classifier.size, channels=classifier.channels)


def classify(classifier: Classifier, faces: list[np.ndarray]) -> np.ndarray:
    """Classify any number of faces in calls of the fixed BATCHES.

    Args:
        classifier: the classifier.
        faces: n crops uint8 [h, w, c].

    Returns:
        float32 [n, C], rows sum to 1.
    """
    parts = [np.zeros((0, len(classifier.classes)), np.float32)]
    for start in range(0, len(faces), BATCHES[-1]):
        part = faces[start : start + BATCHES[-1]]
        size = next(size for size in BATCHES if size >= len(part))
        # A network in evaluation mode treats rows apart from each other: the fill changes nothing.
        filled = np.stack(part + part[-1:] * (size - len(part)))
        parts.append(classifier.probabilities(filled)[: len(part)])
    return np.concatenate(parts)


def warm_up(classifier: Classifier) -> None:
    """Compile the classifier for every batch there will be."""
    for size in BATCHES:
        classifier.probabilities(np.zeros((size, *classifier.size, classifier.channels), np.uint8))


class Pace:
    """Frames per second of late: over the last two seconds."""

    def __init__(self) -> None:
        self._ticks: deque[float] = deque()

    def tick(self, now: float) -> float:
        """Count a frame at a time in seconds and return the rate; 0 at the first."""
        self._ticks.append(now)
        while len(self._ticks) > 2 and now - self._ticks[0] > _PACE:
            self._ticks.popleft()
        return (len(self._ticks) - 1) / max(now - self._ticks[0], 1e-9)
