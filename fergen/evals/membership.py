"""Can a network be asked who was in its training set? Membership inference from one number per face.

Yeom et al. 2018 (arXiv:1709.01604, section 3.2): an attacker who knows the loss guesses that faces of small loss were
trained on. The area under the ROC curve over members and as many others is the chance that a member looks more like one
than another face does: .5 gives nothing away.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fergen.core.arrays import to_float
from fergen.metrics.bootstrap import intervals
from fergen.metrics.classification import auroc

DRAWS = 8
"""Noises and times over which a flow's loss is averaged, the same for every face."""
# Kind of attack by what a network can be asked, the first that it has.
ASKED = {"logits": "loss", "critic": "critic", "velocity_error": "loss", "reconstruct": "reconstruction"}


def kind(predict: dict[str, Callable]) -> str | None:
    """Return what an attacker would look at: loss, critic or reconstruction; None if there is nothing."""
    return next((name for asked, name in ASKED.items() if asked in predict), None)


def evidence(
    predict: dict[str, Callable],
    variables: Any,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    maps: Callable | None = None,
    batch: int = 128,
) -> np.ndarray:
    """Return one number per face, larger for faces that look trained on.

    Args:
        predict: the network's functions, one of `ASKED` among them.
        variables: its arrays.
        images: uint8 [n, h, w, c].
        labels: int [n], in the network's classes.
        maps: (images float32) -> the feature maps that its critic sees, if any.
        batch: faces per compiled call.

    Returns:
        float64 [n].
    """
    call = jax.jit(partial(one, predict, maps=maps))
    found = []
    for start in range(0, len(images), batch):
        rows = np.minimum(np.arange(start, start + batch), len(images) - 1)
        found.append(np.asarray(call(variables, np.asarray(images[rows]), labels[rows]), np.float64))
    return np.concatenate(found)[: len(images)]


def one(predict: dict[str, Callable], variables: Any, images: jax.Array, labels: jax.Array, *, maps=None) -> jax.Array:
    """Return the evidence of a batch, float32 [b]; inside jit."""
    if "logits" in predict:
        return jnp.take_along_axis(jax.nn.log_softmax(predict["logits"](variables, images)), labels[:, None], 1)[:, 0]
    if "critic" in predict:
        seen = {} if maps is None else {"maps": maps(to_float(images))}
        return predict["critic"](variables, images, labels, **seen)
    if "velocity_error" in predict:
        keys = jax.random.split(jax.random.key(0), DRAWS)
        errors = []
        for i, key in enumerate(keys):
            noise = jnp.broadcast_to(predict["draw"](key), images.shape).astype(jnp.float32)
            time = jnp.full(len(images), (i + 0.5) / DRAWS)
            errors.append(predict["velocity_error"](variables, images, labels, noise, time))
        return -jnp.stack(errors).mean(0)
    given = predict["reconstruct"](variables, images, labels)
    return -jnp.square(given - to_float(images)).mean((1, 2, 3))


def infer(members: np.ndarray, others: np.ndarray, *, resamples: int = 1000, seed: int = 0) -> dict[str, float]:
    """Return the attack's `auc`, with `auc.low` and `auc.high` (95 % bootstrap), and the numbers of faces.

    Args:
        members: evidence of faces that were trained on, float [n].
        others: of faces that were not, [m].
        resamples: of the bootstrap.
        seed: of the resamples.
    """
    scores, positive = np.concatenate([members, others]), np.arange(len(members) + len(others)) < len(members)
    found = intervals(lambda rows: {"auc": auroc(scores, positive, rows)}, len(scores), resamples=resamples, seed=seed)
    value, low, high = found["auc"]
    return {"auc": value, "auc.low": low, "auc.high": high, "members": len(members), "others": len(others)}
