"""The accuracy family, from counts of (true, predicted) pairs.

Every function takes any leading axes, so that a thousand bootstrap resamples are measured at once. A class without true
rows has no recall: its own figures are NaN and every macro average leaves it out. That is scikit-learn with
`labels=` the classes present and `zero_division=0`; the tests hold the two equal.
"""

import numpy as np


def confusion(
    labels: np.ndarray, predictions: np.ndarray, num_classes: int, multiplicities: np.ndarray | None = None
) -> np.ndarray:
    """Count true against predicted classes.

    Args:
      labels: int [n] in [0, num_classes).
      predictions: int [n] in [0, num_classes).
      num_classes: C.
      multiplicities: float [b, n], how often each row counts; None for once.

    Returns:
      float64 [C, C], or [b, C, C] with multiplicities: row = true class, column = predicted class.
    """
    cell = labels.astype(np.int64) * num_classes + predictions
    shape = (num_classes, num_classes)
    if multiplicities is None:
        return np.bincount(cell, minlength=num_classes**2).reshape(shape).astype(np.float64)
    return per_group(multiplicities, cell, num_classes**2).reshape(-1, *shape)


def per_group(multiplicities: np.ndarray, group: np.ndarray, groups: int) -> np.ndarray:
    """Sum multiplicities [b, n] within groups int [n] in [0, groups), giving float64 [b, groups]."""
    order = np.argsort(group, kind="stable")
    present, starts = np.unique(group[order], return_index=True)
    totals = np.zeros((groups, len(multiplicities)))
    if len(present):
        totals[present] = np.add.reduceat(multiplicities.T[order], starts, axis=0)
    return totals.T


def _ratio(part: np.ndarray, whole: np.ndarray, empty: float) -> np.ndarray:
    return np.divide(part, whole, out=np.full(np.broadcast(part, whole).shape, empty), where=whole > 0)


def _only_present(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return np.where(counts.sum(-1) > 0, values, np.nan)


def accuracy(counts: np.ndarray) -> np.ndarray:
    """Fraction of rows on the diagonal of a confusion matrix [..., C, C]; NaN without rows."""
    return _ratio(np.trace(counts, axis1=-2, axis2=-1), counts.sum((-2, -1)), np.nan)


def recall(counts: np.ndarray) -> np.ndarray:
    """Per-class recall [..., C] of a confusion matrix [..., C, C]: the accuracy among the true rows of a class."""
    return _ratio(np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(-1), np.nan)


def precision(counts: np.ndarray) -> np.ndarray:
    """Per-class precision [..., C] of a confusion matrix [..., C, C]; 0 for a class that is never predicted."""
    return _only_present(_ratio(np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(-2), 0.0), counts)


def f1(counts: np.ndarray) -> np.ndarray:
    """Per-class F1 [..., C] of a confusion matrix [..., C, C]: 2 TP / (2 TP + FP + FN)."""
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    return _only_present(_ratio(2 * hits, counts.sum(-1) + counts.sum(-2), 0.0), counts)


def macro(per_class: np.ndarray) -> np.ndarray:
    """Mean of per-class figures [..., C] over the classes that are defined (not NaN); NaN if none is."""
    defined = ~np.isnan(per_class)
    return _ratio(np.where(defined, per_class, 0.0).sum(-1), defined.sum(-1), np.nan)


def auroc(scores: np.ndarray, positive: np.ndarray, multiplicities: np.ndarray | None = None) -> np.ndarray:
    """Area under the ROC curve of one class against the rest.

    The area is the chance that a positive row scores above a negative one, ties counting half (Hanley and McNeil,
    1982, equation 1); with multiplicities, over the resample's rows.

    Args:
      scores: float [n], larger for the class.
      positive: bool [n].
      multiplicities: float [b, n]; None for each row once.

    Returns:
      float64 [b] ([1] without multiplicities) in [0, 1]; NaN where positives or negatives are missing.
    """
    counts = np.ones((1, len(scores))) if multiplicities is None else multiplicities
    order = np.argsort(scores, kind="stable")
    _, starts = np.unique(scores[order], return_index=True)
    counts, positive = counts.T[order], positive[order]
    hits = counts[positive]
    counts[positive] = 0  # a copy: what is left are the negatives
    below = np.cumsum(counts, axis=0)
    if len(starts) == len(scores):
        before = below[positive]
    else:
        # Negatives below each group of equal scores, and half of those within it.
        ends = np.append(starts[1:], len(scores)) - 1
        first = np.concatenate([np.zeros((1, below.shape[1])), below[ends[:-1]]])
        group = np.repeat(np.arange(len(starts)), ends - starts + 1)[positive]
        before = 0.5 * (first + below[ends])[group]
    return _ratio(np.einsum("gb,gb->b", hits, before), hits.sum(0) * below[-1], np.nan)


def top_k(scores: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
    """Tell for each row whether its true class is among the k best.

    Args:
      scores: float [n, C].
      labels: int [n].
      k: from 1 to C; a tie with the true class counts against it.

    Returns:
      bool [n].
    """
    own = np.take_along_axis(scores, labels[:, None].astype(np.int64), axis=1)
    return (scores >= own).sum(1) <= k
