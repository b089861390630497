"""An estimate of a step's time from a chip's peaks.

Williams et al. 2009, "Roofline: an insightful visual performance model for multicore architectures": arithmetic and
memory traffic overlap, so the slower of the two bounds a program. What chips send one another is added, as if nothing
ran beside it. Nothing is measured: latencies and half-filled matrix units would make a step slower, and XLA's count of
traffic, which takes what stays in the chip's own fast memory for traffic too, makes it look slower than it is.
"""

from typing import NamedTuple

from fergen.train.chips import Chip


class Roofline(NamedTuple):
    """Seconds of a step by what bounds it; `seconds` is the estimate."""

    compute: float
    memory: float
    links: float

    @property
    def seconds(self) -> float:
        """The slower of arithmetic and memory, and the links."""
        return max(self.compute, self.memory) + self.links

    @property
    def bound(self) -> str:
        """What takes longest: compute, memory or links."""
        return max(self._fields, key=lambda name: getattr(self, name))


def roofline(chip: Chip, *, flops: float, moved: float, sent: float) -> Roofline:
    """Return the bounds of a step.

    Args:
        chip: what it runs on.
        flops: floating-point operations per device.
        moved: bytes that a device reads and writes in its memory.
        sent: bytes that a device sends to others.
    """
    return Roofline(flops / chip.flops, moved / chip.bandwidth, sent / chip.links)


def line(first: tuple[float, float], second: tuple[float, float]) -> tuple[float, float]:
    """Return (intercept, slope) of the line through two points (x, y)."""
    slope = (second[1] - first[1]) / (second[0] - first[0])
    return first[1] - slope * first[0], slope
