"""Where frames come from: a camera, of which only the newest frame counts, or a file, of which every frame does."""

import contextlib
import math
import os
import sys
import threading
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fergen.core.errors import BadInput

# Seconds for which a camera may fail to give a frame before it counts as gone; a read that hangs takes longer to tell.
PATIENCE, HANGS = 2.0, 15.0
# What a file may lack at its end without counting as cut off, in seconds: containers round, decoders drop.
SLACK = 0.5
USUAL = 30.0  # frames per second, where a source does not say

# FFmpeg's level is read when the process opens its first video, and holds: decoders are quiet about damaged frames.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")


class Broken(BadInput):
    """A source ended before its end: a camera that went away, a file that is cut off."""


@dataclass(frozen=True)
class Frame:
    """One frame.

    Attributes:
        index: its number in the source, from 0; of a camera, frames that were dropped count too.
        time: seconds since the first frame, by the file's or the camera's clock.
        image: uint8 [h, w, 3], RGB.
    """

    index: int
    time: float
    image: np.ndarray


class Source:
    """Frames of a camera, a stream or a file.

    Args:
        name: as errors call it.
        capture: a cv2.VideoCapture, or what behaves like one: `read`, `get`, `release`.
        live: a camera or stream: frames come in their own time, are read in a thread, and all but the newest are
            dropped. Of anything else every frame is read.

    Attributes:
        size: (height, width) in pixels, of all frames.
        fps: frames per second that the source says it has; USUAL where it says nothing or nonsense.
        steady: whether it said so and its frames are all read: one frame follows another at that rate.
        total: frames of a file as far as it tells; None for others.
        dropped: frames of a live source that were not handed out, so far.

    Raises:
        BadInput: it has no frame.
    """

    def __init__(self, name: str, capture: Any, *, live: bool):
        self.name, self.live, self.dropped, self._capture = name, live, 0, capture
        self._thread: threading.Thread | None = None
        fps, total = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
        sound = math.isfinite(fps) and 1 <= fps <= 240
        self.fps = float(fps) if sound else USUAL
        self.steady = sound and not live
        self.total = int(total) if not live and math.isfinite(total) and 0 < total < 1e9 else None
        image = self._first()
        if image is None:
            self.close()
            raise BadInput(f"{name}: opens, but {'gives' if live else 'holds'} no frame")
        self.size = image.shape[:2]
        self._began = time.monotonic()
        self._newest: Frame | None = Frame(0, 0.0, self._fitted(image))
        self._lost, self._over = "", threading.Event()
        self._news = threading.Condition()

    def frames(self, stop: threading.Event | None = None) -> Iterator[Frame]:
        """Yield the frames until the end, or until `stop` is set.

        Raises:
            Broken: after the last frame that there was, where it is not the end.
        """
        return self._live(stop or threading.Event()) if self.live else self._file(stop or threading.Event())

    def close(self) -> None:
        """Let the camera or file go."""
        if self._thread:
            self._over.set()
            self._thread.join(2.0)
            if (
                self._thread.is_alive()
            ):  # hanging in the driver, where a release would crash: the process's end frees it
                return
        self._capture.release()

    def __enter__(self) -> "Source":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _first(self) -> np.ndarray | None:
        until = time.monotonic() + (PATIENCE if self.live else 0)
        while True:
            there, image = self._capture.read()
            if there:
                return image
            if time.monotonic() >= until:
                return None
            time.sleep(0.02)

    def _fitted(self, image: np.ndarray) -> np.ndarray:
        # A stream may change its size on the way; the annotated video cannot.
        if image.shape[:2] != self.size:
            image = cv2.resize(image, self.size[::-1], interpolation=cv2.INTER_AREA)
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB if image.ndim == 3 else cv2.COLOR_GRAY2RGB)

    def _file(self, stop: threading.Event) -> Iterator[Frame]:
        frame = self._newest
        last = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        zero = last if math.isfinite(last) else 0.0
        while frame is not None and not stop.is_set():
            yield frame
            there, image = self._capture.read()
            if not there:
                self._require_whole(frame)
                return
            # The file's own clock, which variable frame rates need; where it stands still, the rate.
            stamp = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000 - zero
            moved = math.isfinite(stamp) and stamp > frame.time
            frame = Frame(frame.index + 1, stamp if moved else frame.time + 1 / self.fps, self._fitted(image))

    def _require_whole(self, last: Frame) -> None:
        # Some containers give the exact number of frames and others the length: a file that lacks both is cut off.
        read = last.index + 1
        if self.total and self.total - read > SLACK * self.fps and self.total / self.fps - last.time > SLACK:
            raise Broken(
                f"{self.name}: expected {self.total:,} frames, found {read:,}: the file is cut off or damaged; what was"
                " written ends there"
            )

    def _live(self, stop: threading.Event) -> Iterator[Frame]:
        self._thread = threading.Thread(target=self._watch, name="capture", daemon=True)
        self._thread.start()
        heard = time.monotonic()
        while not stop.is_set():
            with self._news:
                # Short waits: a signal is seen between them.
                self._news.wait_for(lambda: self._newest or self._lost, timeout=0.1)
                frame, self._newest = self._newest, None
                lost = self._lost
            if frame:
                heard = time.monotonic()
                yield frame
            elif lost or time.monotonic() - heard > HANGS:
                raise Broken(f"{self.name}: {lost or f'gave no frame for {HANGS:.0f} s'}; what was written ends there")

    def _watch(self) -> None:
        index, good = 0, time.monotonic()
        while not self._over.is_set():
            try:
                there, image = self._capture.read()
            except cv2.error:  # a driver that loses its device may raise instead
                there, image = False, None
            now = time.monotonic()
            if there and image is not None:
                index, good = index + 1, now
                frame = Frame(index, now - self._began, self._fitted(image))
                with self._news:
                    self.dropped += self._newest is not None
                    self._newest = frame
                    self._news.notify()
            elif now - good > PATIENCE:
                with self._news:
                    self._lost = f"went away after {index + 1:,} frames"
                    self._news.notify()
                return
            else:
                time.sleep(0.02)


def open_source(text: str) -> Source:
    """Open a camera's number, a video file or a stream's URL.

    Raises:
        BadInput: there is none, it cannot be read, or it holds no frame.
    """
    camera, stream = text.isdecimal(), "://" in text
    name = f"camera {text}" if camera else text
    if not camera and not stream:
        if not Path(text).exists():
            raise BadInput(f"{text}: no such file; expected a camera's number, a video file or a stream's URL")
        with Path(text).open("rb"):  # says what the matter is with a folder, or with rights
            pass
    with silent():
        if camera:
            capture = cv2.VideoCapture(int(text))
        else:
            waits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, 10_000, cv2.CAP_PROP_READ_TIMEOUT_MSEC, 10_000] if stream else []
            capture = cv2.VideoCapture(text, cv2.CAP_FFMPEG, waits)
    if not capture.isOpened():
        raise BadInput(f"{name}: {_why(text, camera, stream)}")
    with silent():
        return Source(name, capture, live=camera or (stream and not capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0))


def _why(text: str, camera: bool, stream: bool) -> str:
    if camera:
        there = sorted(str(p) for p in Path("/dev").glob("video*")) if sys.platform == "linux" else []
        found = f" (there: {', '.join(there)})" if there else " (there is no /dev/video*)"
        return f"no camera that can be opened{found if sys.platform == 'linux' else ''}; name another, a file or a URL"
    if stream:
        return "no stream that can be opened; is the address right, and does it answer?"
    if Path(text).stat().st_size == 0:
        return "an empty file, expected a video"
    return "expected a video, found another kind of file, one that is cut off or has no frame, or an unknown codec"


@contextlib.contextmanager
def silent() -> Generator[None]:
    """Keep what OpenCV, FFmpeg and drivers print themselves off standard error; ours says it in a line."""
    before = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
        cv2.utils.logging.setLogLevel(before)
