"""Directions of expressions in the space of styles, and ways along them.

A direction is one vector for all faces, where a search has a move for each. It is found in two ways: as the mean of the
gradients by which a classifier's probability rises, and by a regression of what the classifier sees on the style (Shen
et al. 2020, arXiv:1907.10786, section 2.2, which separates classes by a hyperplane and takes its normal). Both work in
white coordinates, in which styles spread alike in all directions, so that a way of length 1 is one standard deviation.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from fergen.latent.search import Guide, Synthesise, Whitening

BATCH = 64  # faces of one compiled call


class Direction(NamedTuple):
    """A direction, and how well it says what the classifier sees.

    Attributes:
        vector: of length 1 in white coordinates, [w].
        strength: the share of the spread of log-odds that a straight line along it explains (R squared, of other faces
            than those it was found on), or, of gradients, the length of the mean of unit gradients: 1 where all agree.
    """

    vector: np.ndarray
    strength: float


def log_odds(logits: jax.Array, target: int) -> jax.Array:
    """Return the logarithm of the target's odds [n] for logits [n, k]."""
    others = jnp.where(jnp.arange(logits.shape[1]) == target, -jnp.inf, logits)
    return logits[:, target] - jax.scipy.special.logsumexp(others, axis=1)


def by_regression(styles: jax.Array, odds: np.ndarray, white: Whitening) -> Direction:
    """Find the direction of a least-squares fit of log-odds.

    Args:
        styles: [n, w], n well above w.
        odds: log-odds [n] that the classifier gives to the target on their faces.
        white: of the generator's styles.
    """
    x = np.asarray(white(styles), np.float64)
    y, cut = np.asarray(odds, np.float64), (3 * len(x)) // 4
    ones = np.ones((len(x), 1))
    fit = np.linalg.lstsq(np.hstack([x, ones])[:cut], y[:cut], rcond=None)[0]
    residual = y[cut:] - np.hstack([x, ones])[cut:] @ fit
    vector = fit[:-1] / max(np.linalg.norm(fit[:-1]), 1e-12)
    return Direction(vector.astype(np.float32), float(1 - residual.var() / max(y[cut:].var(), 1e-12)))


def by_gradient(synthesise: Synthesise, guide: Guide, target: int, styles: jax.Array, white: Whitening) -> Direction:
    """Find the mean direction in which log-odds rise, over faces.

    Each face's gradient counts by its direction alone: a face at the edge between two classes has one that is many
    times as long as others'.

    Args:
        synthesise: styles [n, layers, w] -> images.
        guide: images -> logits.
        target: its class.
        styles: [n, layers, w].
        white: of the generator's styles.
    """
    back = white.back()

    def total(moves: jax.Array, styles: jax.Array) -> jax.Array:
        images = synthesise(styles + (moves @ back)[:, None]).clip(-1, 1)
        return log_odds(guide(images), target).sum()

    gradient = jax.jit(jax.grad(total))
    found = []
    for at in range(0, len(styles), BATCH):
        part = styles[at : at + BATCH]
        found.append(np.asarray(gradient(jnp.zeros((len(part), styles.shape[-1])), part)))
    each = np.concatenate(found)
    mean = (each / np.maximum(np.linalg.norm(each, axis=1, keepdims=True), 1e-12)).mean(0)
    length = float(np.linalg.norm(mean))
    return Direction((mean / max(length, 1e-12)).astype(np.float32), length)


def along(start: jax.Array | np.ndarray, direction: np.ndarray, strengths: np.ndarray, white: Whitening) -> np.ndarray:
    """Return styles [steps, n, layers, w] on straight ways.

    Args:
        start: styles [n, layers, w].
        direction: in white coordinates, [w].
        strengths: how far to go, in standard deviations, [steps].
        white: of the generator's styles.
    """
    move = np.asarray(jnp.asarray(direction) @ white.back())
    return np.asarray(start)[None] + np.asarray(strengths, np.float32)[:, None, None, None] * move


def scores(synthesise: Synthesise, measure: Callable[[jax.Array], jax.Array], styles: jax.Array) -> np.ndarray:
    """Return what a function of images says of the faces of styles [n, layers, w], in batches."""
    both = jax.jit(lambda styles: measure(synthesise(styles).clip(-1, 1)))
    return np.concatenate([np.asarray(both(styles[at : at + BATCH])) for at in range(0, len(styles), BATCH)])
