"""Precision, recall, density and coverage: is what is generated real, and is all that is real generated?

Each set's manifold is the union of balls round its points that reach to their k-th nearest neighbour in the set.
Kynkaanniemi, Karras, Laine, Lehtinen and Aila (2019), Improved Precision and Recall Metric for Assessing Generative
Models; Naeem, Oh, Uh, Choi and Yoo (2020), Reliable Fidelity and Diversity Metrics for Generative Models.
"""

from typing import NamedTuple

import numpy as np

from fergen.metrics.neighbours import block_rows, nearest, squared_distances

NEIGHBOURS = 5


class Manifold(NamedTuple):
    """How two sets of features cover each other."""

    precision: float  # share of fakes inside the real manifold, in [0, 1]
    recall: float  # share of reals inside the fake manifold, in [0, 1]
    density: float  # real balls round a fake, over k; 1 is expected of a perfect generator, and it may be more
    coverage: float  # share of real balls with a fake in them, in [0, 1]


def radii(features: np.ndarray, k: int = NEIGHBOURS) -> np.ndarray:
    """Return each row's distance to its k-th nearest other row: [n, d], n above k -> float64 [n]."""
    if len(features) <= k:
        raise ValueError(f"expected more than k = {k} rows, found {len(features)}")
    # A row is its own nearest neighbour.
    return nearest(features, features, k + 1)[0][:, k]


def manifold(real: np.ndarray, fake: np.ndarray, k: int = NEIGHBOURS) -> Manifold:
    """Measure precision, recall (Kynkaanniemi et al., equation 2), density and coverage (Naeem et al., section 3).

    All four depend on n and k: compare at equal n. Of two samples of one distribution, coverage is expected to be
    1 - product of (n - i) / (2n - i) over i from 1 to k, at equal n: 0.97 for k = 5 (Naeem et al.).

    Args:
      real: features float [n, d], n above k.
      fake: features float [m, d], m above k.
      k: which neighbour a ball reaches.

    Returns:
      A Manifold.
    """
    real_reach, fake_reach = radii(real, k) ** 2, radii(fake, k) ** 2
    inside_real = np.zeros(len(fake), np.int64)
    inside_fake, covered = np.zeros(len(real), bool), np.zeros(len(real), bool)
    step = block_rows(len(fake))
    for start in range(0, len(real), step):
        rows = slice(start, start + step)
        squared = squared_distances(real[rows], fake)
        within = squared <= real_reach[rows, None]
        inside_real += within.sum(0)
        covered[rows] = within.any(1)
        inside_fake[rows] = (squared <= fake_reach).any(1)
    return Manifold(
        precision=float((inside_real > 0).mean()),
        recall=float(inside_fake.mean()),
        density=float(inside_real.mean() / k),
        coverage=float(covered.mean()),
    )
