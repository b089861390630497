"""Muon: updates of kernels are made orthogonal, everything else is left to Adam.

Jordan et al. 2024 ("Muon: an optimizer for hidden layers in neural networks"): the momentum of a matrix is replaced by
the nearest semi-orthogonal matrix, so that directions that gradients rarely show move as far as the usual ones. In
short trainings of convolutions that is worth more than its cost, a few products of matrices of the kernels' sizes.
"""

import math
from typing import Any

import jax
import optax
from optax import contrib

# Root mean square of an orthogonal update, about that of Adam's: both take the same learning rate. Liu et al. 2025
# (arXiv:2502.16982), eq. 4.
RMS = 0.2


def scale_by_muon(
    *, momentum: float, nesterov: bool, rest: optax.GradientTransformation
) -> optax.GradientTransformation:
    """Build the transformation from gradients to directions.

    Args:
      momentum: decay of the average of gradients.
      nesterov: look one step ahead of it.
      rest: what the leaves go through that are no kernels.

    Returns:
      An optax gradient transformation, to be followed by the learning rate.
    """
    orthogonal = contrib.scale_by_muon(beta=momentum, nesterov=nesterov, weight_dimension_numbers=axes)
    kernels = optax.chain(orthogonal, optax.stateless(lambda updates, _: jax.tree.map(sized, updates)))
    return optax.partition({"kernel": kernels, "rest": rest}, labels)


def labels(params: Any) -> Any:
    """Say of each leaf whether it is a "kernel", a matrix from more than one feature to others, or of the "rest".

    Embeddings are tables rather than matrices, and a depthwise kernel takes a single feature.
    """

    def label(path: tuple, leaf: jax.Array) -> str:
        named = path and getattr(path[-1], "key", None) == "kernel"
        return "kernel" if named and leaf.ndim >= 2 and min(leaf.shape[-2:]) > 1 else "rest"

    return jax.tree_util.tree_map_with_path(label, params)


def axes(params: Any) -> Any:
    """Say of each kernel which axes make the matrix's rows, all but the last, and which its columns."""
    return jax.tree.map(lambda leaf: contrib.MuonDimensionNumbers(tuple(range(leaf.ndim - 1)), leaf.ndim - 1), params)


def sized(update: jax.Array) -> jax.Array:
    """Scale an orthogonal update, whose mean square is one over the greater of its sides, to `RMS`."""
    columns = update.shape[-1]
    return RMS * math.sqrt(max(update.size // columns, columns)) * update
