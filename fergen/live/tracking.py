"""Faces followed from frame to frame, each under one number: detections now and then, optical flow in between.

A face's points are a grid inside its box. Pyramidal Lucas-Kanade carries them to the next frame and back again; those
that do not come home are left out (Kalal, Mikolajczyk and Matas 2010, Forward-Backward Error), and the rest agree by
RANSAC on one similarity: shift, scale and turn.

Chosen by measurement on the astronaut's photograph, drifting and zooming by a fifth at 640x480 with noise of 4 gray
levels, six starts (`tests/live/clips.moved`); error of the centre after 30 frames, error of the size, time on one core:

    Lucas-Kanade, here               .17 px at most     0.8 %     1.3 ms
    template, normalised correlation 7.5               38         0.6
    OpenCV's MIL                     7.5               38         20

Its wheels have no KCF or CSRT, and their other trackers need networks of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

from fergen.data.detect import Face

GRID = 9  # points a side
ERROR = 1.0  # pixels off their start after the way there and back, at most
FEWEST = 10  # points that must agree
WINDOW, LEVELS = (15, 15), 3
MATCH = 0.2  # overlap (intersection over union) of a detection and a track that are one face, at least
DOUBLE = 0.5  # overlap of two tracks that are one face
GAIN = 0.5  # how far a detection pulls a track's box: detectors' boxes jitter, tracks drift
PATIENCE = 1.0  # seconds that a face is kept without a detection


@dataclass
class Track:
    """A face on its way.

    Attributes:
        id: its number, from 1; never given again.
        face: where it is in the newest frame.
        detected: found by the detector in the newest frame, not by flow alone.
        seen: time of the last detection, in seconds.
        times: how often it was detected.
        lost: flow has lost it; it waits for a detection and is not shown.
    """

    id: int
    face: Face
    detected: bool
    seen: float
    times: int = 1
    lost: bool = False


class Tracker:
    """Follows all faces of a video."""

    def __init__(self) -> None:
        self.tracks: list[Track] = []
        self._before: np.ndarray | None = None
        self._next = 1

    @property
    def unsure(self) -> bool:
        """Whether there is a face that was detected but once; the next detection without it ends it."""
        return any(track.times == 1 for track in self.tracks)

    def update(self, gray: np.ndarray, time: float, found: Sequence[Face] | None = None) -> list[Track]:
        """Take in the next frame.

        Args:
            gray: uint8 [h, w], of one size throughout.
            time: seconds.
            found: faces that the detector found in it; None if it was not asked.

        Returns:
            The tracks to be seen in it, in the order of their ids.
        """
        for track in self.tracks:
            track.detected = False
            moved = None if track.lost or self._before is None else follow(self._before, gray, track.face)
            if moved is None or not _inside(moved, gray.shape):
                track.lost = True
            else:
                track.face = moved
        self._before = gray
        if found is not None:
            self._associate(found, time)
        return [track for track in self.tracks if not track.lost]

    def _associate(self, found: Sequence[Face], time: float) -> None:
        overlaps = np.array([[overlap(track.face, face) for face in found] for track in self.tracks])
        overlaps = overlaps.reshape(len(self.tracks), len(found))
        pairs = {(int(t), int(f)) for t, f in zip(*linear_sum_assignment(-overlaps)) if overlaps[t, f] >= MATCH}
        for t, f in pairs:
            track = self.tracks[t]
            track.face = found[f] if track.lost else _pulled(track.face, found[f])
            track.detected, track.seen, track.times, track.lost = True, time, track.times + 1, False
        matched, taken = {t for t, _ in pairs}, {f for _, f in pairs}
        # What was found but once was hardly a face.
        kept = [
            track
            for t, track in enumerate(self.tracks)
            if t in matched or (track.times > 1 and time - track.seen <= PATIENCE)
        ]
        for f, face in enumerate(found):
            if f not in taken and all(track.lost or overlap(track.face, face) < MATCH for track in kept):
                kept.append(Track(self._next, face, True, time))
                self._next += 1
        # Two tracks on one face: the one that the detector confirms, else the older.
        self.tracks = []
        for track in sorted(kept, key=lambda track: (not track.detected, track.id)):
            if all(overlap(track.face, other.face) < DOUBLE for other in self.tracks):
                self.tracks.append(track)
        self.tracks.sort(key=lambda track: track.id)


def follow(before: np.ndarray, now: np.ndarray, face: Face) -> Face | None:
    """Carry a face from one frame to the next.

    Args:
        before: uint8 [h, w].
        now: the next frame, uint8 [h, w].
        face: in the first.

    Returns:
        The face in the second; None if too few of its points can be followed.
    """
    # The face's surroundings alone: OpenCV builds a pyramid of all it is given.
    x, y, w, h = face.box
    reach = 0.5 * max(w, h) + WINDOW[0]
    left, top = max(0, int(x - reach)), max(0, int(y - reach))
    window = np.s_[top : max(0, int(y + h + reach)), left : max(0, int(x + w + reach))]
    if min(before[window].shape) < WINDOW[0]:
        return None
    one, two = np.ascontiguousarray(before[window]), np.ascontiguousarray(now[window])
    corner = np.array([left, top], np.float32)
    start = _grid(face.box) - corner
    there, found, _ = cv2.calcOpticalFlowPyrLK(one, two, start, start.copy(), winSize=WINDOW, maxLevel=LEVELS)
    back, returned, _ = cv2.calcOpticalFlowPyrLK(two, one, there, there.copy(), winSize=WINDOW, maxLevel=LEVELS)
    home = np.linalg.norm(back - start, axis=1) < ERROR
    good = home & (found[:, 0] == 1) & (returned[:, 0] == 1)
    if good.sum() < FEWEST:
        return None
    matrix, agree = cv2.estimateAffinePartial2D(start[good] + corner, there[good] + corner, ransacReprojThreshold=1.5)
    if matrix is None or agree.sum() < FEWEST:
        return None
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if not 0.7 < scale < 1.4:
        return None
    cx, cy = matrix @ (x + w / 2, y + h / 2, 1)
    box = (float(cx - scale * w / 2), float(cy - scale * h / 2), scale * w, scale * h)
    points = None if face.points is None else (face.points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
    return Face(box, face.score, points)


def overlap(a: Face, b: Face) -> float:
    """Intersection over union of two faces' boxes, in [0, 1]."""
    (ax, ay, aw, ah), (bx, by, bw, bh) = a.box, b.box
    common = max(0.0, min(ax + aw, bx + bw) - max(ax, bx)) * max(0.0, min(ay + ah, by + bh) - max(ay, by))
    return common / max(aw * ah + bw * bh - common, 1e-9)


def scaled(face: Face, factor: float) -> Face:
    """Return a face in a picture that is `factor` times as large."""
    x, y, w, h = (factor * value for value in face.box)
    return Face((x, y, w, h), face.score, None if face.points is None else face.points * np.float32(factor))


def _grid(box: tuple[float, float, float, float]) -> np.ndarray:
    """Return points of an ellipse inside a box, float32 [k, 2]: its corners show what is behind the head."""
    x, y, w, h = box
    u, v = np.meshgrid(*[np.linspace(-1, 1, GRID)] * 2)
    within = u**2 + v**2 <= 1.01
    return np.stack([x + w * (0.5 + 0.38 * u[within]), y + h * (0.5 + 0.38 * v[within])], axis=1).astype(np.float32)


def _inside(face: Face, shape: tuple[int, ...]) -> bool:
    x, y, w, h = face.box
    return 0 <= x + w / 2 < shape[1] and 0 <= y + h / 2 < shape[0]


def _pulled(track: Face, found: Face) -> Face:
    x, y, w, h = (a + GAIN * (b - a) for a, b in zip(track.box, found.box))
    points = found.points
    if points is not None and track.points is not None:
        points = track.points + np.float32(GAIN) * (points - track.points)
    return Face((x, y, w, h), found.score, points)
