"""Calibration: do probabilities mean what they say?

Guo, Pleiss, Sun and Weinberger (2017), On Calibration of Modern Neural Networks: expected calibration error (equations
2 and 3) and temperature scaling (equation 9).
"""

from typing import NamedTuple

import numpy as np

from fergen.metrics.classification import per_group

BINS = 15


class Reliability(NamedTuple):
    """Rows of a sample sorted into equal-width bins of confidence; each array is float64 [bins]."""

    edges: np.ndarray  # [bins + 1], from 0 to 1
    count: np.ndarray
    confidence: np.ndarray  # mean confidence, NaN in an empty bin
    accuracy: np.ndarray  # fraction correct, NaN in an empty bin


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Turn logits [n, C] into probabilities float64 [n, C] at a temperature."""
    return np.exp(log_softmax(logits, temperature))


def log_softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Turn logits [n, C] into log-probabilities float64 [n, C] at a temperature."""
    scaled = np.asarray(logits, np.float64) / temperature
    scaled = scaled - scaled.max(1, keepdims=True)
    return scaled - np.log(np.exp(scaled).sum(1, keepdims=True))


def nll(log_probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Negative log-likelihood of each row's true class, in nats: log-probabilities [n, C], labels int [n] -> [n]."""
    return -np.take_along_axis(log_probabilities, labels[:, None].astype(np.int64), axis=1)[:, 0]


def brier(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Squared distance of each row's probabilities from its one-hot label (Brier, 1950, equation 2).

    Args:
      probabilities: float [n, C].
      labels: int [n].

    Returns:
      float64 [n] in [0, 2]; the score of a sample is the mean.
    """
    own = np.take_along_axis(probabilities, labels[:, None].astype(np.int64), axis=1)[:, 0]
    return np.square(probabilities).sum(1) - 2 * own + 1


def _bin(confidence: np.ndarray, bins: int) -> np.ndarray:
    # Guo's bins are (low, high]: a confidence on an edge falls into the bin below it, and 0 into the first.
    return np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)


def expected_calibration_error(
    confidence: np.ndarray, correct: np.ndarray, bins: int = BINS, multiplicities: np.ndarray | None = None
) -> np.ndarray:
    """Average gap between confidence and accuracy over bins of confidence, weighted by rows (Guo et al., equation 3).

    Args:
      confidence: float [n] in [0, 1], the probability of the predicted class.
      correct: bool [n].
      bins: number of equal-width bins.
      multiplicities: float [b, n]; None for each row once.

    Returns:
      float64 [b] ([1] without multiplicities) in [0, 1]. The error of a finite sample is biased upwards, and a
      resample's once more: its percentile interval leans upwards.
    """
    counts = np.ones((1, len(confidence))) if multiplicities is None else multiplicities
    # |B|/n * |accuracy - confidence| is |sum over the bin of (correct - confidence)| / n.
    gap = per_group(counts * (correct - confidence), _bin(confidence, bins), bins)
    return np.abs(gap).sum(1) / counts.sum(1)


def reliability(confidence: np.ndarray, correct: np.ndarray, bins: int = BINS) -> Reliability:
    """Sort rows into equal-width bins of confidence (Guo et al., equation 2).

    Args:
      confidence: float [n] in [0, 1].
      correct: bool [n].
      bins: number of bins.

    Returns:
      A Reliability.
    """
    index = _bin(confidence, bins)
    count = np.bincount(index, minlength=bins).astype(np.float64)
    mean = [
        np.divide(np.bincount(index, values, minlength=bins), count, out=np.full(bins, np.nan), where=count > 0)
        for values in (confidence, correct.astype(np.float64))
    ]
    return Reliability(np.linspace(0, 1, bins + 1), count, *mean)


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Find the temperature that minimises the negative log-likelihood (Guo et al., equation 9).

    To be fitted on `validation` only, and applied elsewhere. The likelihood is convex in 1/T, so a bounded scalar
    search over log T finds its minimum.

    Args:
      logits: float [n, C], or log-probabilities.
      labels: int [n].

    Returns:
      T in [0.05, 20]; divide logits by it.
    """
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(
        lambda log_t: float(nll(log_softmax(logits, np.exp(log_t)), labels).mean()),
        bounds=(np.log(0.05), np.log(20.0)),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return float(np.exp(found.x))
