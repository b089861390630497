"""The annotated video, written frame by frame."""

from pathlib import Path

import cv2
import numpy as np

from fergen.core.errors import BadInput
from fergen.live.source import silent

# By a file's ending, what OpenCV's wheels can encode themselves: players take .mp4, browsers .webm.
CODECS = {".mp4": "mp4v", ".webm": "vp09", ".avi": "MJPG"}


class Video:
    """A video file being written.

    Args:
        path: where to; its ending chooses the codec.
        size: (height, width) of the frames, in pixels; an odd last row or column is cut off, codecs want even ones.
        fps: frames per second.
        name: as errors call it; None for the path.

    Raises:
        BadInput: the codec fails.
    """

    def __init__(self, path: str | Path, size: tuple[int, int], fps: float, *, name: str | None = None):
        self.path, self.size, self.fps, self.written = Path(path), size, fps, 0
        self.name = name or str(path)
        codec = CODECS[self.path.suffix.lower()]
        with silent():
            self._writer = cv2.VideoWriter(
                str(self.path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), fps, size[::-1]
            )
        if not self._writer.isOpened():
            raise BadInput(
                f"{self.name}: the codec {codec} fails for {size[1]}x{size[0]} pixels; expected one that this OpenCV"
                f" has: another ending of {', '.join(CODECS)}"
            )

    def write(self, image: np.ndarray) -> None:
        """Write a frame, uint8 [h, w, 3] RGB of the video's size."""
        self._writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        self.written += 1

    def write_until(self, image: np.ndarray, time: float) -> None:
        """Write a frame as often as brings the video to a time, in seconds: it then plays as fast as life."""
        while self.written <= time * self.fps:
            self.write(image)

    def close(self) -> None:
        """Finish the file.

        Raises:
            BadInput: it does not hold what was written; OpenCV does not say when a disk is full.
        """
        with silent():
            self._writer.release()
            check = cv2.VideoCapture(str(self.path), cv2.CAP_FFMPEG)
            held = int(check.get(cv2.CAP_PROP_FRAME_COUNT)) if check.isOpened() else 0
            check.release()
        if held < self.written - 1:  # containers that store a length alone may round it
            raise BadInput(f"{self.name}: {self.written:,} frames were written, it holds {held:,}: is the disk full?")

    def __enter__(self) -> "Video":
        return self

    def __exit__(self, failure, *_) -> None:
        if failure is None:
            self.close()
        else:
            self._writer.release()
