"""A whole sitting: a source watched to its end, shown, drawn and recorded."""

import contextlib
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path

from fergen.core.clock import Progress
from fergen.core.errors import BadInput, Preempted
from fergen.core.paths import whole_file
from fergen.data import detect
from fergen.live import loop, overlay
from fergen.live.classifier import Classifier, load
from fergen.live.record import FORMATS, Record, ending
from fergen.live.source import Broken, Source, open_source
from fergen.live.video import CODECS, Video
from fergen.live.window import Window


@dataclass
class Sitting:
    """What came of it.

    Attributes:
        frames: that were worked through.
        total: frames that the file says it has; None for a camera.
        dropped: frames of a camera that came too fast.
        faces: ids of the faces that were seen.
        seconds: that it took, loading and compilation apart.
        stopped: a signal ended it before the source did.
    """

    frames: int = 0
    total: int | None = None
    dropped: int = 0
    faces: set[int] = field(default_factory=set)
    seconds: float = 0.0
    stopped: bool = False


def live(
    source: str | Source,
    weights: str | Classifier = "fer2013_distilled",
    *,
    out: str | Path | None = None,
    record: str | Path | None = None,
    show: bool = False,
    detector: str | detect.Detector = detect.DEFAULT,
    every: int = loop.EVERY,
    constant: float = loop.CONSTANT,
    threshold: float | None = None,
    stop: threading.Event | None = None,
    quiet: bool = True,
) -> Sitting:
    """Name the expressions in a source until it ends.

    Args:
        source: a camera's number, a file, a URL, or a source already open, which is closed at the end.
        weights: reference, or a classifier already loaded.
        out: the annotated video: .mp4, .webm or .avi.
        record: probabilities per frame and face: .csv or .jsonl.
        show: open a window; q in it ends.
        detector: by name, or the function itself.
        every: frames from one detection to the next.
        constant: seconds of smoothing, 0 for none.
        threshold: the least probability that is named, "uncertain" below; None for the classifier's own.
        stop: set it, from a signal or another thread, to end with whole files.
        quiet: show no progress.

    Raises:
        BadInput: something cannot be opened, read or written; nothing is left behind. A `Broken` source's files are
            finished first.
        Preempted: `stop` was set before the first frame.
    """
    stop = stop or threading.Event()
    find = detect.detector(detector, smallest=loop.SMALLEST) if isinstance(detector, str) else detector
    sitting, broken = Sitting(), None
    with contextlib.ExitStack() as stack:
        if isinstance(source, str):
            source = open_source(source)
        stack.enter_context(source)
        # What is quick to fail has come first; what takes seconds follows.
        window = stack.enter_context(Window()) if show else None
        classifier = load(weights) if isinstance(weights, str) else weights
        threshold = classifier.threshold if threshold is None else threshold
        video = stack.enter_context(_video(out, source)) if out else None
        about = {
            "source": source.name, "live": source.live, "fps": source.fps, "height": source.size[0],
            "width": source.size[1], "weights": classifier.name, "use": classifier.card.get("use"),
            "temperature": classifier.card.get("temperature", 1.0),
            "detector": detector if isinstance(detector, str) else "given",
            "every": every, "smooth": constant, "threshold": threshold,
        }  # fmt: skip
        notes = stack.enter_context(_record(record, classifier.classes, about)) if record else None
        loop.warm_up(classifier)
        if stop.is_set():
            raise Preempted("stopped before the first frame; nothing was written")
        progress = stack.enter_context(Progress(source.total, unit="frames", label="live", quiet=quiet))
        began = time.monotonic()
        options = {"every": every, "constant": constant, "threshold": threshold, "stop": stop}
        try:
            for seen in loop.watch(source, classifier, find, **options):
                if notes:
                    notes.write(seen)
                if video or window:
                    drawn = overlay.draw(seen.frame.image, seen, classifier.classes)
                    if video and source.steady:
                        video.write(drawn)
                    elif video:
                        video.write_until(drawn, seen.frame.time)
                    if window:
                        window.show(drawn)
                        if not source.live:  # as fast as life, unless this machine is slower
                            stop.wait(min(1.0, max(0.0, seen.frame.time - (time.monotonic() - began))))
                sitting.frames += 1
                sitting.faces.update(face.id for face in seen.faces)
                progress.update(1, f"{source.dropped:,} dropped" if source.live else "")
                if window and window.closed:
                    break
            else:
                sitting.stopped = stop.is_set() and not source.live
        except Broken as error:
            broken = error
        sitting.total, sitting.dropped, sitting.seconds = source.total, source.dropped, time.monotonic() - began
    if broken:
        raise broken
    return sitting


def require_outputs(source: str, out: str | None, record: str | None) -> None:
    """Check the names of outputs before anything is opened.

    Raises:
        BadInput: an ending is unknown, a folder is in the place, or the source would be overwritten.
    """
    for flag, path, endings in (("out", out, CODECS), ("record", record, FORMATS)):
        if path is None:
            continue
        if ending(path) not in endings:
            raise BadInput(f"--{flag}={path}: expected a name that ends in {' or '.join(endings)}")
        if Path(path).is_dir():
            raise BadInput(f"--{flag}={path}: expected a file's name, found a folder")
        if Path(source).exists() and Path(path).resolve() == Path(source).resolve():
            raise BadInput(f"--{flag}={path}: that is the source; name another file")


@contextlib.contextmanager
def _placed(path: str | Path) -> Generator[Path]:
    """Give a temporary name as `whole_file` does, and check that a file can be made there."""
    with contextlib.ExitStack() as stack:
        try:
            fresh = stack.enter_context(whole_file(path))
            fresh.open("wb").close()
        except OSError as error:
            raise BadInput(f"{path}: cannot be written: {error.strerror}") from None
        yield fresh


@contextlib.contextmanager
def _video(path: str | Path, source: Source) -> Generator[Video]:
    with _placed(path) as fresh:
        with Video(fresh, source.size, source.fps, name=str(path)) as video:
            yield video


@contextlib.contextmanager
def _record(path: str | Path, classes: tuple[str, ...], about: dict) -> Generator[Record]:
    with _placed(path) as fresh:
        with fresh.open("w", encoding="utf-8") as file:
            yield Record(file, ending(path), classes, about)
