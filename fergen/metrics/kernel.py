"""Kernel distance (KID): an unbiased distance between two sets of features, with the sd of its estimate.

Binkowski, Sutherland, Arbel and Gretton (2018), Demystifying MMD GANs: the squared maximum mean discrepancy under the
kernel k(x, y) = (x.y / d + 1)^3, by the unbiased estimator of Gretton et al. (2012), A Kernel Two-Sample Test, lemma 6.
"""

from typing import NamedTuple

import numpy as np

from fergen.metrics.bootstrap import multiplicities

BLOCK = 1024  # rows of a kernel matrix that are held at a time


class KernelDistance(NamedTuple):
    """An estimate of the squared maximum mean discrepancy, and its bootstrap standard deviation (NaN without)."""

    value: float
    sd: float


def kernel_distance(a: np.ndarray, b: np.ndarray, *, resamples: int = 200, seed: int = 0) -> KernelDistance:
    """Estimate KID from all pairs of rows, without bias (Gretton et al., equation 3).

    The usual KID averages this over random subsets, to keep the kernel matrices small. Here they are summed block by
    block, so every pair counts once, and the mean over subsets is what this figure is exactly. Its expectation does
    not depend on n, so that sets of different size compare; it may be negative.

    The sd is over bootstrap resamples of both sets, in which a row's copies are no pair. Between samples of one
    distribution it overstates the true sd, by up to the square root of 3 (the statistic is degenerate there).

    Args:
      a: features float [n, d], n at least 2.
      b: features float [m, d], m at least 2.
      resamples: of the bootstrap; 0 for none.
      seed: of the resamples.

    Returns:
      A KernelDistance.
    """
    if min(len(a), len(b)) < 2:
        raise ValueError(f"expected at least two rows a side, found {len(a)} and {len(b)}")
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    # The sample itself is the first "resample": every row once. The two sides are drawn apart.
    counts = [np.ones((1, len(x))) for x in (a, b)]
    if resamples:
        for side, x in enumerate((a, b)):
            drawn = np.concatenate(list(multiplicities(len(x), resamples, seed + side)))
            counts[side] = np.concatenate([counts[side], drawn])
    value = _within(a, counts[0]) + _within(b, counts[1])
    value -= 2 * _pairs(a, b, *counts) / (len(a) * len(b))
    return KernelDistance(float(value[0]), float(value[1:].std(ddof=1)) if resamples > 1 else float("nan"))


def _within(x: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Average the kernel over the pairs of different rows, weighted by counts [r, n] -> [r]."""
    own = _kernel(np.square(x).sum(1), x.shape[1])
    squares = np.square(counts)
    return (_pairs(x, x, counts, counts) - squares @ own) / (len(x) ** 2 - squares.sum(1))


def _pairs(a: np.ndarray, b: np.ndarray, counts_a: np.ndarray, counts_b: np.ndarray) -> np.ndarray:
    """Sum the kernel over all pairs of rows, weighted by counts [r, n] and [r, m] -> [r]."""
    total = np.zeros(len(counts_a))
    for start in range(0, len(a), BLOCK):
        rows = slice(start, start + BLOCK)
        weighted = _kernel(a[rows] @ b.T, a.shape[1]) @ counts_b.T
        total += np.einsum("rn,nr->r", counts_a[:, rows], weighted)
    return total


def _kernel(products: np.ndarray, dimension: int) -> np.ndarray:
    shifted = products / dimension + 1
    return shifted * shifted * shifted
