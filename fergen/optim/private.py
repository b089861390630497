"""Differentially private gradients: each example's is clipped, and their sum gets noise, by jax-privacy.

Abadi et al. 2016, "Deep learning with differential privacy" (arXiv:1607.00133), algorithm 1, with batches by Poisson
sampling: see `fergen.data.poisson`.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from fergen.core.keys import named
from fergen.optim.accounting import library

# (params, rows of one example with a leading axis of 1, its key) -> (its loss, what else is to be known of it).
Loss = Callable[[Any, Any, jax.Array], tuple[jax.Array, Any]]


def private_gradient(
    loss: Loss, *, clip_norm: float, noise_multiplier: float, expected: int, microbatch: int = 0
) -> Callable[..., tuple[tuple[jax.Array, Any, jax.Array], Any]]:
    """Make the private gradient of a loss.

    A row that is taken out of a batch changes the sum of the clipped gradients by at most clip_norm, and so does one
    that is put in; the division is by the expected number of rows, which no row has a part in.

    Args:
        loss: of one example.
        clip_norm: greatest L2 norm of an example's gradient, over all parameters.
        noise_multiplier: standard deviation of the noise by clip_norm; 0 for none.
        expected: rows that a batch has in the mean.
        microbatch: examples whose gradients are held at once; 0 for all. It divides the batch's places.

    Returns:
        gradient(params, rows, mask, key) -> ((losses [b], what else [b, ...], norms [b]), gradient). Only the gradient
        is private: the rest tells of each example. Places under mask 0 have no part in it, whatever they hold.
    """
    privacy = library("jax_privacy")

    def clipped_by(implementation: Any) -> Any:
        # Keys go in as plain numbers: jax 0.10 cannot put typed ones into microbatches.
        return privacy.clipped_grad(
            lambda params, rows, words: loss(params, rows, jax.random.wrap_key_data(words[0], impl=implementation)),
            has_aux=True,
            l2_clip_norm=clip_norm,
            normalize_by=float(expected),
            batch_argnums=(1, 2),
            return_values=True,
            return_grad_norms=True,
            microbatch_size=microbatch or None,
        )

    def gradient(params: Any, rows: Any, mask: jax.Array, key: jax.Array):
        words = jax.random.key_data(jax.random.split(named(key, "examples"), len(mask)))
        clipped = clipped_by(jax.random.key_impl(key))
        mean, seen = clipped(params, rows, words, is_padding_example=mask == 0)
        if noise_multiplier:
            deviation = noise_multiplier * clipped.sensitivity(neighbours())
            privatizer = privacy.noise_addition.gaussian_privatizer(stddev=deviation, prng_key=named(key, "noise"))
            mean, _ = privatizer.update(mean, privatizer.init(mean))
        return (seen.values, seen.aux, seen.grad_norms), mean

    return gradient


def neighbours() -> Any:
    """Return the relation of sets that the accounting is of: one has one row more."""
    return library("dp_accounting").NeighboringRelation.ADD_OR_REMOVE_ONE


def share_above(norms: jax.Array, mask: jax.Array, clip_norm: float) -> jax.Array:
    """Return the share of a batch's rows whose gradient was clipped."""
    return ((norms > clip_norm) * mask).sum() / jnp.maximum(mask.sum(), 1)
