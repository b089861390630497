"""Adversarial losses, zero-centred gradient penalties, and the data-to-data cross-entropy.

A critic's logit is greater for what it takes as real. Every loss is a mean over the batch, in float32.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

# The losses between which a config chooses.
KINDS = ("logistic", "hinge", "relativistic")


def critic_loss(
    kind: str, real: Float[Array, "b"], fake: Float[Array, "b"], smoothing: float = 0.0
) -> Float[Array, ""]:
    """Compute what the critic minimises.

    - logistic: mean softplus(-D(x)) + mean softplus(D(G(z))). Goodfellow et al. 2014 (arXiv:1406.2661), eq. 1.
    - hinge: mean max(0, 1 - D(x)) + mean max(0, 1 + D(G(z))). Miyato et al. 2018 (arXiv:1802.05957), eq. 16.
    - relativistic: mean softplus(-(D(x) - D(G(z)))) over pairs. Huang et al. 2024, "The GAN is dead; long live the
      GAN!" (arXiv:2501.05441), eq. 2; to be used with both R1 and R2.

    Args:
      kind: one of `KINDS`.
      real: logits of real images.
      fake: logits of generated images; for `relativistic`, row i is paired with row i of the real ones.
      smoothing: s of one-sided label smoothing: real images (in pairs: the order of a pair) count as real with
        probability 1 - s only, which adds s times their logit (Salimans et al. 2016, arXiv:1606.03498, section 3.4).
        Of `hinge`, which has no probabilities, it lowers the margin of real images to 1 - s.

    Returns:
      The loss.
    """
    if kind == "relativistic":
        return jnp.mean(jax.nn.softplus(fake - real) + smoothing * (real - fake))
    if kind == "hinge":
        return jnp.mean(jax.nn.relu(1 - smoothing - real)) + jnp.mean(jax.nn.relu(1 + fake))
    return jnp.mean(jax.nn.softplus(-real) + smoothing * real) + jnp.mean(jax.nn.softplus(fake))


def generator_loss(kind: str, fake: Float[Array, "b"], real: Float[Array, "b"] | None = None) -> Float[Array, ""]:
    """Compute what the generator minimises.

    - logistic: mean softplus(-D(G(z))), the non-saturating form (Goodfellow et al. 2014, section 3).
    - hinge: -mean D(G(z)). Miyato et al. 2018, eq. 17.
    - relativistic: mean softplus(-(D(G(z)) - D(x))), the critic's with real and fake exchanged.

    Args:
      kind: one of `KINDS`.
      fake: logits of generated images.
      real: logits of real images; `relativistic` alone needs them.

    Returns:
      The loss.
    """
    if kind == "relativistic":
        if real is None:
            raise ValueError("the relativistic loss pairs with real images: expected their logits")
        return jnp.mean(jax.nn.softplus(real - fake))
    if kind == "hinge":
        return -jnp.mean(fake)
    return jnp.mean(jax.nn.softplus(-fake))


def mismatch_loss(kind: str, each: Float[Array, "b k"], labels: Int[Array, "b"]) -> Float[Array, ""]:
    """Compute the critic's loss of real images under labels that are not theirs, a second kind of fakes.

    The matching-aware critic of Reed et al. 2016 (arXiv:1605.05396), algorithm 1, with the mean over all wrong labels
    in place of one drawn at random.

    Args:
      kind: one of `KINDS`; `relativistic` pairs an image's logits under its own and under a wrong label.
      each: logits of real images under every label.
      labels: theirs.

    Returns:
      The loss.
    """
    wrong = 1 - jax.nn.one_hot(labels, each.shape[1])
    if kind == "relativistic":
        losses = jax.nn.softplus(each - jnp.take_along_axis(each, labels[:, None], axis=1))
    elif kind == "hinge":
        losses = jax.nn.relu(1 + each)
    else:
        losses = jax.nn.softplus(each)
    return jnp.sum(losses * wrong) / jnp.sum(wrong)


def zero_centred_penalty(critic: Callable[[Any], Float[Array, "b"]], inputs: Any) -> Float[Array, ""]:
    """Compute half of the mean squared norm of a critic's gradient in what it sees.

    R1 on real images, R2 on generated ones, each to be multiplied with its gamma. Mescheder et al. 2018
    (arXiv:1801.04406), eqs. 9 and 10. Feature maps that it sees beside an image count as inputs of their own.

    Args:
      critic: inputs -> logits. Where a logit also sees a statistic of the batch, as the spread of its images, an
        image's gradient holds what it does to the others' logits too, as in StyleGAN2.
      inputs: where the gradient is taken: images [b, h, w, c], or a tree of arrays [b, ...].

    Returns:
      mean of |grad D(x)|^2 / 2 over the batch.
    """
    gradient = jax.grad(lambda x: jnp.sum(critic(x)))(inputs)
    squares = [jnp.sum(jnp.square(g), axis=range(1, g.ndim)) for g in jax.tree.leaves(gradient)]
    return 0.5 * jnp.mean(sum(squares[1:], squares[0]))


def data_to_data_cross_entropy(
    embeddings: Float[Array, "b e"],
    proxies: Float[Array, "k e"],
    labels: Int[Array, "b"],
    *,
    temperature: float = 0.5,
    positive_margin: float = 0.98,
    negative_margin: float = 0.02,
) -> Float[Array, ""]:
    """Compute D2D-CE, which pulls images to the proxy of their class and pushes images of other classes apart.

    With f the embeddings, v the proxies and N(i) the images whose label is not y_i,

        a_i = exp(min(f_i . v_{y_i} - m_p, 0) / t),  b_ij = exp(max(f_i . f_j - m_n, 0) / t),

    it is the mean over i of -log(a_i / (a_i + sum over j in N(i) of b_ij)).

    Kang et al. 2021, "Rebooting ACGAN" (arXiv:2111.01118), section 3.2: easy positives and easy negatives have no
    gradient, so that the classifier's does not outgrow the adversarial one as in ACGAN.

    Args:
      embeddings: f, unit vectors.
      proxies: v, unit vectors.
      labels: class of each image.
      temperature: t.
      positive_margin: m_p, the cosine to its proxy from which on an image is left alone.
      negative_margin: m_n, the cosine to another image up to which it is left alone.

    Returns:
      The loss; log(1 + n) for n images of other classes once all margins are kept.
    """
    positive = jnp.minimum(jnp.sum(embeddings * proxies[labels], axis=-1) - positive_margin, 0) / temperature
    negative = jnp.maximum(embeddings @ embeddings.T - negative_margin, 0) / temperature
    negative = jnp.where(labels[:, None] != labels, negative, -jnp.inf)
    return jnp.mean(jax.nn.logsumexp(jnp.concatenate([positive[:, None], negative], axis=1), axis=1) - positive)
