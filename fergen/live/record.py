"""Probabilities per frame and face, as CSV or as lines of JSON."""

import csv
import json
from pathlib import Path
from typing import IO, Any

from fergen.live.loop import Expression, Seen

NOTE = "A facial expression as a classifier sees it, not an inner feeling; not for judging people at work or school."
FORMATS = (".csv", ".jsonl")
BOX = ("x", "y", "width", "height")


class Record:
    """A record being written.

    A CSV begins with NOTE behind a `#` and has a row per frame and face; a frame without a face has none. A .jsonl
    begins with a line about the whole and has a line per frame.

    Args:
        file: open for writing text.
        kind: one of FORMATS.
        classes: C names.
        about: what to say of the whole: source, weights, settings.
    """

    def __init__(self, file: IO[str], kind: str, classes: tuple[str, ...], about: dict[str, Any]):
        self.classes, self._file, self._rows = classes, file, None
        if kind == ".csv":
            file.write(f"# {NOTE}\n")
            self._rows = csv.writer(file, lineterminator="\n")
            self._rows.writerow(["frame", "time", "face", "found", *BOX, *classes, "expression"])
        else:
            file.write(json.dumps({"note": NOTE, **about, "classes": classes}) + "\n")

    def write(self, seen: Seen) -> None:
        """Add a frame."""
        if self._rows is None:
            faces = [self._entry(face) for face in seen.faces]
            line = {"frame": seen.frame.index, "time": round(seen.frame.time, 4), "faces": faces}
            self._file.write(json.dumps(line) + "\n")
            return
        for face in seen.faces:
            self._rows.writerow(
                [
                    seen.frame.index, f"{seen.frame.time:.4f}", face.id, _found(face),
                    *(f"{value:.1f}" for value in face.face.box),
                    *(f"{p:.6f}" for p in face.probabilities),
                    face.name,
                ]
            )  # fmt: skip

    def _entry(self, face: Expression) -> dict[str, Any]:
        return {
            "face": face.id,
            "found": _found(face),
            "box": [round(value, 1) for value in face.face.box],
            "probabilities": {name: round(float(p), 6) for name, p in zip(self.classes, face.probabilities)},
            "of_this_frame": {name: round(float(p), 6) for name, p in zip(self.classes, face.raw)},
            "expression": face.name,
        }


def _found(face: Expression) -> str:
    return "detected" if face.detected else "followed"


def ending(path: str | Path) -> str:
    """Return a file's ending, in small letters."""
    return Path(path).suffix.lower()
