"""Cross-entropy of class logits with hard or soft labels."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


def smooth(labels: Float[Array, "*b n"], amount: float) -> Float[Array, "*b n"]:
    """Mix label distributions with the uniform one: (1 - amount) y + amount / n.

    Szegedy et al., "Rethinking the Inception Architecture", CVPR 2016, section 7.

    Args:
      labels: distributions over n classes.
      amount: weight of the uniform distribution in [0, 1].

    Returns:
      Distributions.
    """
    return (1.0 - amount) * labels + amount / labels.shape[-1]


def cross_entropy(
    logits: Float[Array, "*b n"],
    labels: Float[Array, "*b n"] | Int[Array, "*b"],
    *,
    smoothing: float = 0.0,
    class_weights: Float[Array, "n"] | None = None,
) -> Float[Array, "*b"]:
    """Compute the softmax cross-entropy of every example, -sum_k w_k y_k log p_k, in nats.

    Args:
      logits: scores of n classes.
      labels: distributions over the classes, or class numbers.
      smoothing: label smoothing in [0, 1].
      class_weights: weight w_k of each class; a soft label is weighted class by class. As in PyTorch's
        CrossEntropyLoss, smoothing comes first.

    Returns:
      Losses in float32.
    """
    if jnp.issubdtype(labels.dtype, jnp.integer):
        labels = jax.nn.one_hot(labels, logits.shape[-1])
    labels = labels.astype(jnp.float32)
    if smoothing:
        labels = smooth(labels, smoothing)
    if class_weights is not None:
        labels = labels * class_weights
    log_probabilities = jax.nn.log_softmax(logits.astype(jnp.float32))
    # A class without weight may have probability 0 (logit -inf); it contributes 0, not NaN.
    return -jnp.where(labels == 0, 0.0, labels * log_probabilities).sum(axis=-1)


def weighted_mean(
    losses: Float[Array, "*b"],
    *,
    weight: Float[Array, "*b"] | None = None,
    mask: Float[Array, "*b"] | None = None,
) -> Float[Array, ""]:
    """Average per-example values over the examples that count.

    The sum of weight * mask * loss is divided by the number of examples under the mask, not by the sum of weights, so
    that an example's weight does not depend on its neighbours in the batch. Weights of mean 1 keep the loss's scale.

    Args:
      losses: values by example. Under mask 0 they may be anything, NaN included.
      weight: weight of each example, 1 by default.
      mask: 1 for an example, 0 for padding.

    Returns:
      The mean; 0 if the mask is empty.
    """
    if mask is None:
        mask = jnp.ones_like(losses)
    factor = mask if weight is None else mask * weight
    total = jnp.where(mask > 0, losses * factor, 0.0).sum()
    return total / jnp.maximum(mask.sum(), 1.0)


def balanced_weights(counts: Int[Array, "n"], power: float = 1.0) -> Float[Array, "n"]:
    """Turn class counts into class weights proportional to count^-power, of mean 1 over the examples.

    Args:
      counts: examples of each class; a class without examples gets weight 0.
      power: 1 makes all classes weigh the same in total, 0.5 goes half of the way (in logarithms), 0 gives ones.

    Returns:
      Weights with sum_k counts_k w_k = sum_k counts_k.
    """
    counts = jnp.asarray(counts, jnp.float32)
    weights = jnp.where(counts > 0, jnp.maximum(counts, 1.0) ** -power, 0.0)
    return weights * counts.sum() / (counts * weights).sum()
