"""Saliency: which pixels of a face speak for a classifier's answer.

Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391) weighs the maps of the last convolution by the gradient of a logit:
coarse, and about regions. Integrated gradients (Sundararajan et al. 2017, arXiv:1703.01365) share the difference of a
logit between a black image and this one out to the pixels: fine, and complete, for the shares add up to it. Neither
says that the network is right, nor what a person feels.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fergen.core.errors import BadInput
from fergen.metrics.calibration import softmax
from fergen.tasks.classifier import conform
from fergen.tasks.network import image_of
from fergen.tasks.state import require_classifier

METHODS = ("grad_cam", "integrated_gradients")
BATCH = 64  # images, or points of ways, per compiled call
POINTS = 64  # of the way from black to an image

# (variables, images [b, h, w, c]) -> logits [b, k].
Logits = Callable[[Any, jax.Array], jax.Array]
# (variables, images, added or None) -> logits, activations [b, h', w', c']; see `fergen.tasks.classifier.predict_of`.
Probe = Callable[..., tuple[jax.Array, jax.Array]]


@dataclass(frozen=True)
class Saliency:
    """What speaks for a class on each of n images.

    Attributes:
        maps: float32 [n, height, width] at the network's size, in logits: of Grad-CAM 0 or more, of integrated
            gradients also below, where a pixel speaks against the class; those add up to `gained`.
        targets: int [n], the class that is asked about.
        probabilities: float32 [n, k] of the images, rows sum to 1.
        gained: float32 [n], the class's logit less that of a black image.
    """

    maps: np.ndarray
    targets: np.ndarray
    probabilities: np.ndarray
    gained: np.ndarray


def saliency(
    restored: Any, images: np.ndarray, *, method: str = "grad_cam", target: str | None = None, points: int = POINTS
) -> Saliency:
    """Ask a classifier what it goes by.

    Args:
        restored: restored weights: `.predict`, `.variables`, `.spec`, `.card`.
        images: uint8 [n, h, w, c], n at least 1, faces.
        method: one of `METHODS`.
        target: the class to ask about; None for the one that the network finds the most probable.
        points: of integrated gradients, see `integrated_gradients`.

    Raises:
        BadInput: no such method, no classifier, or it does not know the class.
    """
    if method not in METHODS:
        raise BadInput(f"method '{method}': expected {' or '.join(METHODS)}")
    require_classifier(restored, f"weights '{restored.name}'", "probe")
    classes = list(restored.spec["classes"])
    if target is not None and target not in classes:
        raise BadInput(f"emotion '{target}': '{restored.name}' knows {', '.join(classes)}")
    predict, variables = restored.predict, jax.device_put(restored.variables)
    parts = [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
    conformed = [conform(jnp.asarray(part), restored.spec) for part in parts]
    logits = np.concatenate([_logits(predict["logits"], variables, part) for part in conformed])
    black = _logits(predict["logits"], variables, jnp.full_like(conformed[0][:1], -1))
    targets = logits.argmax(1) if target is None else np.full(len(images), classes.index(target))
    asked = [targets[start : start + BATCH] for start in range(0, len(images), BATCH)]
    if method == "grad_cam":
        found = [
            enlarged(grad_cam(predict["probe"], variables, part, of), image_of(restored.spec)[:2])
            for part, of in zip(conformed, asked)
        ]
    else:
        found = [
            integrated_gradients(predict["logits"], variables, part, of, points=points).sum(-1)
            for part, of in zip(conformed, asked)
        ]
    return Saliency(
        np.concatenate([np.asarray(maps, np.float32) for maps in found]),
        targets,
        softmax(logits, restored.card.get("temperature", 1.0)).astype(np.float32),
        (logits[np.arange(len(targets)), targets] - np.asarray(black)[0, targets]).astype(np.float32),
    )


@partial(jax.jit, static_argnums=0)
def grad_cam(probe: Probe, variables: Any, images: jax.Array, targets: jax.Array) -> jax.Array:
    """Compute Grad-CAM (Selvaraju et al. 2017, eq. 1 and 2).

    Args:
        probe: see `Probe`; a network in evaluation mode, whose rows do not see each other.
        variables: of the network.
        images: [b, h, w, c].
        targets: int [b], classes.

    Returns:
        float32 [b, h', w'], 0 or more, in the resolution of the last convolution.
    """
    _, shape = jax.eval_shape(probe, variables, images)

    def score(added: jax.Array) -> tuple[jax.Array, jax.Array]:
        logits, activations = probe(variables, images, added)
        return jnp.take_along_axis(logits, targets[:, None], axis=1).sum(), activations

    gradient, activations = jax.grad(score, has_aux=True)(jnp.zeros(shape.shape))
    weights = gradient.mean((1, 2), keepdims=True)  # eq. 1: alpha of each channel
    return jax.nn.relu((weights * activations).sum(-1))  # eq. 2


def integrated_gradients(
    logits: Logits,
    variables: Any,
    images: jax.Array,
    targets: np.ndarray,
    *,
    baseline: float = -1.0,
    points: int = POINTS,
) -> np.ndarray:
    """Compute integrated gradients (Sundararajan et al. 2017, eq. 1) by Gauss-Legendre quadrature.

    Args:
        logits: see `Logits`.
        variables: of the network.
        images: float32 [b, h, w, c] in [-1, 1].
        targets: int [b], classes.
        baseline: value of every pixel of the image at which the way begins; -1 is black.
        points: of the way at which gradients are taken.

    Returns:
        float32 [b, h, w, c]; the sum over an image's values is its logit less the baseline's, up to the quadrature.

    Raises:
        BadInput: there is no point.
    """
    if points < 1:
        raise BadInput(f"points={points}: expected at least 1 of the way from black to the image")
    nodes, weights = np.polynomial.legendre.leggauss(points)  # on [-1, 1]
    way, share = (nodes + 1) / 2, weights / 2
    total = jnp.zeros(images.shape)
    # Several points of the way in a call, as a batch: a loop within it would run on one core.
    together = max(1, min(points, BATCH // len(images)))
    filled = -points % together
    way, share = (np.pad(x, (0, filled)).reshape(-1, together).astype(np.float32) for x in (way, share))
    for alphas, counts in zip(way, share):
        total += _gradients(logits, variables, images, jnp.asarray(targets), alphas, counts, baseline)
    return np.asarray((images - baseline) * total)


@partial(jax.jit, static_argnums=0)
def _gradients(logits, variables, images, targets, alphas, shares, baseline) -> jax.Array:
    """Sum the gradients [b, h, w, c] at points alphas [m] of the way, each by its share [m]."""
    m, n = len(alphas), len(images)
    along = baseline + alphas[:, None, None, None, None] * (images - baseline)

    def score(flat: jax.Array) -> jax.Array:
        found = logits(variables, flat).reshape(m, n, -1)
        return jnp.take_along_axis(found, targets[None, :, None], axis=2).sum()

    gradient = jax.grad(score)(along.reshape(-1, *images.shape[1:])).reshape(along.shape)
    return jnp.einsum("m,mbhwc->bhwc", shares, gradient)


@partial(jax.jit, static_argnums=0)
def _logits(logits, variables, images) -> jax.Array:
    return logits(variables, images)


def enlarged(maps: jax.Array, size: tuple[int, int]) -> jax.Array:
    """Enlarge maps [b, h', w'] to (height, width) bilinearly, as the paper shows them."""
    return jax.image.resize(maps, (maps.shape[0], *size), "bilinear")
