"""The confidence interval of a share."""

import math
from statistics import NormalDist


def wilson(hits: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Return the score interval of a proportion (Wilson, 1927), which holds at shares of 0 and 1 and at small n too.

    Args:
      hits: successes, from 0 to n.
      n: trials.
      level: coverage aimed at, in (0, 1).

    Returns:
      (low, high) in [0, 1]; NaN without trials.
    """
    if not n:
        return math.nan, math.nan
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share, shrink = hits / n, 1 + z * z / n
    centre = (share + z * z / (2 * n)) / shrink
    half = z / shrink * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # Exact where rounding would not be.
    return 0.0 if hits == 0 else centre - half, 1.0 if hits == n else centre + half
