"""Fréchet distance between two sets of features, from sums that a stream of batches adds to.

Heusel, Ramsauer, Unterthiner, Nessler and Hochreiter (2017), GANs Trained by a Two Time-Scale Update Rule Converge to a
Local Nash Equilibrium, equation 6. On Inception features it is the FID.
"""

import numpy as np


class Moments:
    """Sums and outer sums of feature vectors in float64: all that the distance needs of a set, whatever its size."""

    def __init__(self, dimension: int):
        self.n = 0
        self.sums = np.zeros(dimension)
        self.outer = np.zeros((dimension, dimension))

    def add(self, features: np.ndarray) -> "Moments":
        """Add a batch of features [b, d]; returns self."""
        x = np.asarray(features, np.float64)
        self.n += len(x)
        self.sums += x.sum(0)
        self.outer += x.T @ x
        return self

    def mean(self) -> np.ndarray:
        """Return the mean, float64 [d]; at least one row must have been added."""
        return self.sums / self.n

    def covariance(self, ddof: int = 1) -> np.ndarray:
        """Return the covariance, float64 [d, d].

        Args:
          ddof: 1 divides by n - 1, as the usual implementations of FID do; 0 by n, as StyleGAN2's does.
        """
        mean = self.mean()
        return (self.outer - self.n * np.outer(mean, mean)) / (self.n - ddof)


def frechet_distance(
    mean_a: np.ndarray, covariance_a: np.ndarray, mean_b: np.ndarray, covariance_b: np.ndarray
) -> float:
    """Measure the squared Fréchet (2-Wasserstein) distance between two Gaussians (Heusel et al., equation 6).

    |m_a - m_b|^2 + tr(S_a) + tr(S_b) - 2 tr((S_a S_b)^(1/2)). The product has the eigenvalues of the symmetric
    S_a^(1/2) S_b S_a^(1/2), whose roots are real where a covariance is singular too. Of finite samples it is biased
    upwards, the more the fewer there are: compare at equal n alone.

    Args:
      mean_a: [d].
      covariance_a: [d, d], symmetric, positive semi-definite.
      mean_b: [d].
      covariance_b: [d, d].

    Returns:
      The distance, at least 0, in the features' units squared.
    """
    values, vectors = np.linalg.eigh(covariance_a)
    # Eigenvalues that rounding made negative count as zero.
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ covariance_b @ root).clip(0)).sum()
    squared = np.square(mean_a - mean_b).sum() + np.trace(covariance_a) + np.trace(covariance_b) - 2 * cross
    return max(0.0, float(squared))


def between(a: Moments, b: Moments) -> float:
    """Measure the distance between two sets by their moments, each of at least two rows."""
    return frechet_distance(a.mean(), a.covariance(), b.mean(), b.covariance())
