"""Probabilities over time: an exponential average whose pace is set in seconds, not in frames.

The average is taken of probabilities, not of their logarithms. What is shown then reads as a share of the recent
past, and one frame that is sure of itself and wrong, blurred or half hidden, cannot veto a class for good, as a
probability near 0 does in a geometric mean. (Several views of a face are averaged as probabilities elsewhere, too.)
Averages are less sure than frames that disagree, so that abstention errs to the side of caution.
"""

import math
from collections.abc import Iterable

import numpy as np


class Smoother:
    """A first-order low-pass filter for each face.

    Its answer to a step is 1 - exp(-t/constant) after t seconds, at any frame rate and with frames missing: the filter
    is the exact one of a signal that holds each value since the frame before.

    Args:
        constant: seconds after which a step is followed to 63 %; 0 smooths nothing.
    """

    def __init__(self, constant: float):
        self.constant = constant
        self._state: dict[int, tuple[float, np.ndarray]] = {}

    def update(self, face: int, time: float, probabilities: np.ndarray) -> np.ndarray:
        """Take in a face's probabilities of a frame and return the smoothed ones.

        Args:
            face: its id; the first probabilities of an id are returned as they are.
            time: seconds, not before the id's last.
            probabilities: float [C], sum 1.

        Returns:
            float64 [C], sum 1.
        """
        now = np.asarray(probabilities, np.float64)
        if self.constant > 0 and face in self._state:
            then, before = self._state[face]
            now = before + -math.expm1(-(time - then) / self.constant) * (now - before)
        self._state[face] = time, now
        return now

    def keep(self, faces: Iterable[int]) -> None:
        """Forget all faces but these."""
        wanted = set(faces)
        self._state = {face: state for face, state in self._state.items() if face in wanted}
