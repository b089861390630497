"""Exact nearest neighbours by Euclidean distance, block by block, so that memory does not grow with the sets."""

import numpy as np

# Of a block of distances, float64.
_BLOCK_BYTES = 64_000_000


def squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the squared distances between rows of a [n, d] and b [m, d] as float64 [n, m]."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    squared = a @ (-2 * b.T)
    squared += np.square(a).sum(1)[:, None]
    squared += np.square(b).sum(1)
    return np.maximum(squared, 0, out=squared)


def block_rows(width: int) -> int:
    """Return how many rows of `width` numbers make a block."""
    return max(1, _BLOCK_BYTES // (8 * max(1, width)))


def nearest(queries: np.ndarray, references: np.ndarray, k: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Find each query's k nearest references.

    Args:
      queries: float or uint8 [q, d].
      references: [n, d], n at least k; may be memory-mapped, and is read once.
      k: how many.

    Returns:
      Distances float64 [q, k] in rising order, and indices int64 [q, k] into the references.
    """
    if not 1 <= k <= len(references):
        raise ValueError(f"expected k from 1 to the number of references, {len(references)}, found {k}")
    best = np.full((len(queries), k), np.inf)
    index = np.zeros((len(queries), k), np.int64)
    step = block_rows(max(len(queries), references.shape[1]))
    for start in range(0, len(references), step):
        found = squared_distances(queries, references[start : start + step])
        # What was best so far competes with the k best of this block.
        inside = min(k, found.shape[1])
        column = np.argpartition(found, inside - 1, axis=1)[:, :inside]
        values = np.concatenate([best, np.take_along_axis(found, column, 1)], axis=1)
        columns = np.concatenate([index, start + column], axis=1)
        order = np.argsort(values, axis=1, kind="stable")[:, :k]
        best, index = np.take_along_axis(values, order, 1), np.take_along_axis(columns, order, 1)
    return np.sqrt(best), index
