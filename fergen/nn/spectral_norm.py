"""Spectral normalisation: kernels divided by their largest singular value.

Miyato et al. 2018, "Spectral Normalization for Generative Adversarial Networks" (arXiv:1802.05957). A function of the
parameters rather than a layer, so that any network takes it: apply the network to `normalise(params, vectors)[0]`. The
vectors of the power iteration are a collection of their own beside the parameters.
"""

from typing import Any

import jax
import jax.numpy as jnp

from fergen.core.keys import named
from fergen.core.tree import leaf_names, nest

COLLECTION = "spectral"
# What multiplies activations; biases and scales are left alone.
_WEIGHTS = ("kernel", "embedding")
_SMALL = 1e-12  # keeps a kernel of zeros at zero instead of NaN


def start(key: jax.Array, params: Any) -> dict[str, Any]:
    """Draw the vectors from which the power iterations start.

    Args:
        key: random key.
        params: a net's parameters, nested dicts.

    Returns:
        For every kernel [..., O] of a convolution or dense layer and every embedding [k, O], under its name, a unit
        vector [O].
    """
    return nest(
        {
            name: _unit(jax.random.normal(named(key, name), leaf.shape[-1:]))
            for name, leaf in leaf_names(params).items()
            if name.rpartition("/")[2] in _WEIGHTS
        }
    )


def normalise(params: Any, vectors: dict[str, Any], *, iterations: int = 1) -> tuple[Any, dict[str, Any]]:
    """Divide kernels by their largest singular values, as far as the power iteration knows them.

    A kernel [..., I, O] is taken as a matrix W of prod(..., I) rows. Per iteration u <- W'v / |W'v| with
    v = W u / |W u| (algorithm 1); then sigma = v'W u with that v of the new u. The vectors count as constants in
    gradients.

    Args:
        params: as in `start`.
        vectors: from `start`, or from the step before.
        iterations: 1 for each training step, as in the paper; 0 to use the vectors as they are.

    Returns:
        The parameters with normalised kernels, and the new vectors.
    """
    leaves, directions = leaf_names(params), leaf_names(vectors)
    for name, u in directions.items():
        matrix = leaves[name].reshape(-1, u.size)
        fixed = jax.lax.stop_gradient(matrix)
        v = _unit(fixed @ u)
        for _ in range(iterations):
            u = _unit(v @ fixed)
            v = _unit(fixed @ u)
        leaves[name] = leaves[name] / jnp.maximum(v @ matrix @ u, _SMALL)
        directions[name] = u
    return nest(leaves), nest(directions)


def _unit(x: jax.Array) -> jax.Array:
    return x / jnp.maximum(jnp.linalg.norm(x), _SMALL)
