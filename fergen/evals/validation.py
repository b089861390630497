"""Scores on the validation split along training; sums are reduced on the device, so the host sees numbers alone."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import optax

from fergen.data.dataset import Split


def build(predict: dict[str, Callable], split: Split, *, batch: int = 256) -> Callable:
    """Return variables -> {validation/accuracy, validation/loss, validation/macro_recall}.

    Args:
        predict: holds `logits(variables, images)`.
        split: the validation split; the last batch is padded under a mask.
        batch: images per pass.
    """
    n, k = len(split), len(split.spec.classes)
    batch = min(batch, n)
    images, labels = jnp.asarray(split.images), jnp.asarray(split.rows["label"])

    @jax.jit
    def sums(variables, images, labels, start):
        rows = start + jnp.arange(batch)
        mask, rows = rows < n, jnp.minimum(rows, n - 1)
        logits, truth = predict["logits"](variables, images[rows]), labels[rows]
        counted = jax.nn.one_hot(truth, k) * mask[:, None]
        hits = (logits.argmax(-1) == truth)[:, None] * counted
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, truth)
        return (losses * mask).sum(), hits.sum(0), counted.sum(0)

    def evaluate(variables) -> dict[str, float]:
        # A loop of calls: XLA's CPU backend runs the body of a scan on one core.
        parts = [sums(variables, images, labels, np.int32(start)) for start in range(0, n, batch)]
        loss, hits, counts = (np.sum([np.asarray(part[i]) for part in parts], axis=0) for i in range(3))
        recall = hits[counts > 0] / counts[counts > 0]
        return {
            "validation/accuracy": float(hits.sum() / n),
            "validation/macro_recall": float(recall.mean()),
            "validation/loss": float(loss / n),
        }

    return evaluate
