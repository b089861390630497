"""How far apart the members of a set are: a generator that repeats itself within a class has little diversity."""

import numpy as np


class Spread:
    """Sums and squared lengths of feature vectors in float64, which a stream of batches adds to."""

    def __init__(self, dimension: int):
        self.n = 0
        self.sums = np.zeros(dimension)
        self.squares = 0.0

    def add(self, features: np.ndarray) -> "Spread":
        """Add a batch of features [b, d]; returns self."""
        x = np.asarray(features, np.float64)
        self.n += len(x)
        self.sums += x.sum(0)
        self.squares += float(np.square(x).sum())
        return self

    def diversity(self) -> float:
        """Return the mean squared distance over all pairs of different rows; NaN with fewer than two.

        The sum over ordered pairs of |x_i - x_j|^2 is 2 n sum |x_i|^2 - 2 |sum x_i|^2, so no pair is ever formed. It is
        unbiased: its expectation is twice the trace of the covariance, whatever n.
        """
        if self.n < 2:
            return float("nan")
        total = 2 * self.n * self.squares - 2 * float(np.square(self.sums).sum())
        return max(0.0, total) / (self.n * (self.n - 1))
