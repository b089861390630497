"""Percentile bootstrap intervals, vectorised over resamples.

A resample of n rows is its vector of multiplicities: how often each row was drawn. A statistic written for a block of
such vectors, `[b, n] -> [b]`, gives its point value at all ones and its interval from a thousand blocks rows at a
time, so one definition serves both and no resample is ever gathered.

Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 13.3 (percentile intervals).
"""

from collections.abc import Callable, Iterator, Mapping

import numpy as np

# Multiplicities of a block are held as float64 [b, n]; this many bytes keep the block in the last-level cache.
_BLOCK_BYTES = 4_000_000

Statistics = Callable[[np.ndarray], Mapping[str, np.ndarray]]


def multiplicities(n: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Draw bootstrap resamples of n rows as counts per row, block by block.

    Args:
      n: rows of the sample, at least 1.
      resamples: number of resamples in all.
      seed: the draws depend on `n`, `resamples` and `seed` alone.

    Yields:
      float64 [b, n]; every row sums to n, the b add up to `resamples`. In memory the b values of a row of the sample
      are neighbours, so that statistics which sort or group the sample's rows move whole runs of them.
    """
    rng = np.random.Generator(np.random.Philox(seed))
    block = max(1, _BLOCK_BYTES // (8 * n))
    for start in range(0, resamples, block):
        b = min(block, resamples - start)
        drawn = rng.integers(n, size=(b, n)) * b + np.arange(b)[:, None]
        yield np.bincount(drawn.ravel(), minlength=n * b).reshape(n, b).astype(np.float64).T


def intervals(
    statistics: Statistics, n: int, *, resamples: int = 1000, seed: int = 0, level: float = 0.95
) -> dict[str, tuple[float, float, float]]:
    """Evaluate statistics on a sample and give each its percentile bootstrap interval.

    Args:
      statistics: maps multiplicities float64 [b, n] to named arrays [b].
      n: rows of the sample, at least 1.
      resamples: number of resamples; 0 leaves the ends of the interval NaN.
      seed: seed of the draws.
      level: coverage aimed at, in (0, 1).

    Returns:
      name -> (value on the sample, low, high). A resample on which a statistic is undefined (NaN, a class without
      rows) is left out of its percentiles; a statistic undefined on the sample has three NaN.
    """
    point = {name: float(value[0]) for name, value in statistics(np.ones((1, n))).items()}
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in point}
    for counts in multiplicities(n, resamples, seed):
        for name, values in statistics(counts).items():
            drawn[name].append(values)
    tail = 50.0 * (1.0 - level)
    result = {}
    for name, value in point.items():
        values = np.concatenate(drawn[name]) if drawn[name] else np.empty(0)
        values = values[~np.isnan(values)]
        low, high = np.percentile(values, [tail, 100.0 - tail]) if values.size else (np.nan, np.nan)
        result[name] = (value, np.nan, np.nan) if np.isnan(value) else (value, float(low), float(high))
    return result
