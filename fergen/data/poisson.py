"""Poisson sampling: each row joins each batch by its own coin, as the accounting of private training takes it to.

A batch has no fixed size, but a compiled step does: batches are padded, under a mask, to a capacity that the largest
of a whole run all but surely fits in. As `fergen.data.order`, all is a pure function of seed and step.
"""

import math

import numpy as np
from scipy.stats import binom

from fergen.core.errors import BadInput
from fergen.data.order import MASK, keys

# A stream of Philox that no other order draws from: see `fergen.data.order`.
STREAM = 1 << 32
# Chance that any batch of a run exceeds the capacity. The run is as one without capacity but for this chance, which
# adds at most (1 + exp(epsilon)) times as much to delta: 3e-12 at epsilon 8.
OVERFLOW = 1e-15
MULTIPLE = 8  # of which capacities are, so that meshes of up to so many devices see the same batches


def capacity(n: int, expected: int, steps: int, devices: int = 1) -> int:
    """Return how many places a batch needs so that all of a run's batches fit, but for a chance of 1e-15.

    Args:
        n: rows of the split.
        expected: rows that a batch has in the mean.
        steps: batches of the run.
        devices: among which a batch is split.

    Raises:
        BadInput: more rows are expected than there are.
    """
    if not 1 <= expected <= n:
        raise BadInput(f"--config.batch_size={expected}: expected 1 or more, at most the {n:,} rows of the split")
    # Not by scipy's inverse, which fails in tails as far out as this.
    sizes = np.arange(expected, n + 1)
    largest = int(sizes[np.argmax(binom.sf(sizes, n, min(expected / n, 1.0)) <= OVERFLOW / steps)])
    return -(-largest // math.lcm(MULTIPLE, devices)) * math.lcm(MULTIPLE, devices)


def indices(seed: int, n: int, expected: int, places: int, step: int, k: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of the batches of steps step, ..., step + k - 1.

    Args:
        seed: any integer.
        n: rows of the split: each is in a batch with probability expected / n, whatever else is.
        expected: rows that a batch has in the mean.
        places: the capacity; a larger batch would keep a random choice of so many rows.
        step: the first step, from 0.
        k: steps per dispatch.

    Returns:
        int32 [k, places] rows, padding being row 0, and float32 [k, places] mask, 0 for padding.
    """
    rows, mask = np.zeros((k, places), np.int32), np.zeros((k, places), np.float32)
    # The coin is exact to 2^-64; its key also sorts, which makes the choice of a batch that is too large a random one.
    greatest = min(expected * 2**64 // n, MASK)
    for i in range(k):
        coins = keys(seed, step + i, STREAM, (n,))
        joined = np.flatnonzero(coins <= np.uint64(greatest))
        joined = joined[np.argsort(coins[joined], kind="stable")][:places]
        rows[i, : len(joined)], mask[i, : len(joined)] = joined, 1
    return rows, mask
