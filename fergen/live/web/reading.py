"""What the page says of the faces on a picture."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fergen.core.errors import BadInput
from fergen.data import detect
from fergen.data.align import crop
from fergen.live.abstention import UNCERTAIN, named
from fergen.live.classifier import Classifier
from fergen.live.web import markup, pictures
from fergen.show.saliency import overlay

MOST = 12  # faces of a picture that are read, the surest first
SHOWN = 144  # pixels of a crop on the page
MAPS = {"grad_cam": "Grad-CAM", "integrated_gradients": "Integrated gradients"}


@dataclass(frozen=True)
class Reading:
    """One face, read.

    Attributes:
        face: where it is.
        shown: uint8 [h, w, 3], the crop at a size to look at.
        probabilities: float32 [C].
        name: the class, or "uncertain".
        maps: names of methods -> uint8 [h, w, 3], the crop with what the network went by.
    """

    face: detect.Face
    shown: np.ndarray
    probabilities: np.ndarray
    name: str
    maps: dict[str, np.ndarray]


class Reader:
    """Finds faces and reads them; all that is slow to load comes with the first picture.

    Args:
        classifier: see `fergen.live.classifier.load`; below its threshold a face is "uncertain".
    """

    def __init__(self, classifier: Classifier):
        self.classifier = classifier
        # OpenCV's detectors keep state while they search.
        self.lock = threading.Lock()

    @cached_property
    def detector(self) -> detect.Detector:
        """The detector of faces."""
        return detect.within(detect.detector())

    @cached_property
    def restored(self):
        """The classifier's weights, for its gradients.

        Raises:
            BadInput: it is an exported file, which has none.
        """
        if self.classifier.name.endswith(".onnx"):
            raise BadInput("What the network goes by takes gradients, and an .onnx file has none: give its weights.")
        from fergen.train.restore import restore

        return restore(self.classifier.name)

    def read(self, image: np.ndarray, *, whole: bool = False, maps: Sequence[str] = ()) -> list[Reading]:
        """Read the faces of a picture uint8 [h, w, 3], the surest first.

        Args:
            image: the picture.
            whole: it is a face, cropped: look for none.
            maps: methods of saliency to show, names of `MAPS`.
        """
        if whole:
            height, width = image.shape[:2]
            faces = [detect.Face((0.0, 0.0, float(width), float(height)), 1.0)]
        else:
            with self.lock:
                faces = self.detector(image)[:MOST]
        # One at a time: a call is compiled for a number of faces, and one face takes milliseconds.
        return [self._face(image, face, maps) for face in faces]

    def _face(self, image: np.ndarray, face: detect.Face, maps: Sequence[str]) -> Reading:
        classifier = self.classifier
        pixels = crop(image, face, size=classifier.size, channels=classifier.channels)
        probabilities = classifier.probabilities(pixels[None])[0]
        shown = crop(image, face, size=(SHOWN, SHOWN), channels=3)
        laid = {}
        if maps:
            from fergen.evals.saliency import saliency

            for method in maps:
                laid[method] = overlay(shown, saliency(self.restored, pixels[None], method=method).maps[0])
        name = named(probabilities, classifier.classes, classifier.threshold)
        return Reading(face, shown, probabilities, name, laid)


def page_of(image: np.ndarray, readings: Sequence[Reading], classes: Sequence[str], *, moving: bool = False) -> str:
    """Return what is shown of a picture: boxes on it, and a card for each face.

    Args:
        image: uint8 [h, w, 3].
        readings: of its faces.
        classes: C names.
        moving: a frame of many, which has less to say.
    """
    names = ["" if reading.name == UNCERTAIN else reading.name for reading in readings]
    drawn = pictures.boxed(image, [reading.face for reading in readings], names)
    photo = markup.picture(drawn, "the picture with its faces framed", css="fg-photo", quality=85)
    if not readings:
        missing = "No face found." if moving else (
            "No face found. Take a picture that shows a face from the front, or tick that it is a face already cropped."
        )  # fmt: skip
        return f'<div class="fg-read">{photo}{markup.notice(missing)}</div>'
    cards = "".join(_card(reading, classes) for reading in readings)
    return f'<div class="fg-read">{photo}<div class="fg-cards">{cards}</div></div>'


def _card(reading: Reading, classes: Sequence[str]) -> str:
    unsure = reading.name == UNCERTAIN
    verdict = "uncertain" if unsure else f"looks {_adjective(reading.name)}, {100 * reading.probabilities.max():.0f} %"
    laid = "".join(
        f"<figure>{markup.picture(image, f'what speaks for it by {MAPS[name]}', css='fg-crop', quality=90)}"
        f"<figcaption>{MAPS[name]}</figcaption></figure>"
        for name, image in reading.maps.items()
    )
    why = '<p class="fg-hint">No expression is probable enough to be named.</p>' if unsure else ""
    crops = markup.picture(reading.shown, "the face", css="fg-crop", quality=90)
    figures = f"<figure>{crops}<figcaption>face</figcaption></figure>{laid}" if laid else f"<figure>{crops}</figure>"
    return (
        f'<section class="fg-card"><h3{" class=fg-unsure" if unsure else ""}>{markup.text(verdict)}</h3>{why}'
        f'<div class="fg-body"><div class="fg-figures">{figures}</div>'
        f"{markup.bars(classes, reading.probabilities, quiet=unsure)}</div></section>"
    )


_ADJECTIVES = {"disgust": "disgusted", "fear": "afraid", "surprise": "surprised", "contempt": "contemptuous"}


def _adjective(name: str) -> str:
    return _ADJECTIVES.get(name, name)
