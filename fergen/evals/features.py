"""Sets of faces in a feature space: all that the distances need of a set, gathered batch by batch.

Sums and outer sums serve the Fréchet distance and diversity, whatever the size of a set. Kernel distance and manifolds
need the vectors of pairs: those of a bounded number of faces are kept.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from fergen.core.shares import apportion
from fergen.evals import predictions
from fergen.metrics.diversity import Spread
from fergen.metrics.frechet import Moments

KEPT = 10_000  # faces of all classes together whose features are kept
# An estimated covariance of d dimensions is of no use from fewer rows than this many times d.
ROWS_PER_DIMENSION = 2

# Name of a feature space -> (fn(variables, images uint8 [b, h, w, c]) -> float32 [b, d], variables).
Spaces = Mapping[str, tuple[Callable, Any]]
# Images uint8 [b, h, w, c], their classes int [b], and each one's rank among those of its class, int [b].
Batch = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Plan:
    """How many faces of each class take part in what; a face takes part if its rank within its class is below that.

    Attributes:
        mixed: int [C], in the figures of all classes together; equal on all sides, as these depend on n.
        kept: int [C], of these, in the ones that need pairs.
        alike: int [C], in the Fréchet distance per class; equal on all sides.
        each: in the other figures per class, which do not depend on n; at most, where a side has fewer.
    """

    mixed: np.ndarray
    kept: np.ndarray
    alike: np.ndarray
    each: int

    @property
    def n(self) -> int:
        """Faces of all classes together."""
        return int(self.mixed.sum())


def plan(n: int, each: int, train: np.ndarray, held_out: np.ndarray | None) -> Plan:
    """Divide faces among classes in the shares of the held-out faces (of train where there are none).

    Args:
        n: faces of all classes together, at most: fewer if the real sides have fewer in these shares.
        each: faces per class, at most.
        train: int [C], counts of the training faces.
        held_out: int [C], counts of the held-out faces.
    """
    shares = np.where(train > 0, train if held_out is None else held_out, 0)
    present = shares > 0
    if present.any():
        most = (train[present] * shares.sum() // shares[present]).min()
        n = int(min(n, shares.sum(), most))
    alike = np.minimum(each, train if held_out is None else np.minimum(train, held_out))
    return Plan(apportion(n, shares), apportion(min(n, KEPT), shares), alike, each)


class Gathered:
    """One set of faces in one feature space."""

    def __init__(self, plan: Plan, dimension: int):
        self.plan = plan
        self.moments = Moments(dimension)
        self.spreads = [Spread(dimension) for _ in plan.alike]
        self.of_class = [Moments(dimension) if enough(n, dimension) else None for n in plan.alike]
        self._kept: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def add(self, features: np.ndarray, labels: np.ndarray, rank: np.ndarray) -> None:
        """Add a batch: features [b, d], classes int [b], ranks within the class int [b]."""
        self.moments.add(features[rank < self.plan.mixed[labels]])
        for c in np.unique(labels):
            self.spreads[c].add(features[(labels == c) & (rank < self.plan.each)])
            if (moments := self.of_class[c]) is not None:
                moments.add(features[(labels == c) & (rank < self.plan.alike[c])])
        keep = (rank < self.plan.kept[labels]) | (rank < self.plan.each)
        self._kept.append((features[keep], labels[keep], rank[keep]))

    def mixed(self) -> np.ndarray:
        """Return the kept features of all classes together, [n, d]."""
        features, labels, rank = self._joined()
        return features[rank < self.plan.kept[labels]]

    def of(self, c: int) -> np.ndarray:
        """Return the kept features of a class, [n, d]."""
        features, labels, rank = self._joined()
        return features[(labels == c) & (rank < self.plan.each)]

    def _joined(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if len(self._kept) > 1:
            features, labels, rank = (np.concatenate(part) for part in zip(*self._kept))
            self._kept = [(features, labels, rank)]
        return self._kept[0]


def enough(n: int, dimension: int) -> bool:
    """Whether n faces make a Fréchet distance in so many dimensions."""
    return n >= ROWS_PER_DIMENSION * dimension


def gather(
    spaces: Spaces,
    plan: Plan,
    batches: Iterable[Batch],
    *,
    batch: int,
    mesh: Mesh | None = None,
    advance: Callable[[int], None] | None = None,
) -> dict[str, Gathered]:
    """Bring a set of faces into every feature space; no more than one batch of images is held.

    Args:
        spaces: the feature spaces.
        plan: which of the faces take part in what.
        batches: the faces.
        batch: images per compiled call, which the devices must divide.
        mesh: see `fergen.evals.predictions.logits`.
        advance: called with the number of images done since the last call.

    Returns:
        Name of the space -> the set in it.
    """
    found: dict[str, Gathered] = {}
    for images, labels, rank in batches:
        for name, (function, variables) in spaces.items():
            if name not in found:
                found[name] = Gathered(plan, dimension(function, variables, images))
            features = predictions.logits(function, variables, images, batch, mesh=mesh)
            found[name].add(features, labels, rank)
        if advance:
            advance(len(images))
    return found


def dimension(function: Callable, variables: Any, images: np.ndarray) -> int:
    """Return the number of a space's dimensions, without computing a feature."""
    image = jax.ShapeDtypeStruct((1, *images.shape[1:]), images.dtype)
    return jax.eval_shape(function, variables, image).shape[1]
