"""Whole numbers in given proportions."""

import numpy as np


def apportion(total: int, weights: np.ndarray) -> np.ndarray:
    """Split a total in proportion to weights by the method of largest remainders.

    Args:
        total: what to split; up to the weights' sum no share exceeds its weight.
        weights: int [k], at least 0.

    Returns:
        int64 [k], with the sum `total`; of equal remainders the first get more. Zeros if all weights are.
    """
    weights = np.asarray(weights, np.int64)
    whole = max(1, int(weights.sum()))
    shares, rest = np.divmod(total * weights, whole)
    shares[np.argsort(-rest, kind="stable")[: int(rest.sum()) // whole]] += 1
    return shares
