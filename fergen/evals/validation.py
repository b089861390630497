"""Scores on the validation split along training; sums are reduced on the device, so the host sees numbers alone."""

from collections.abc import Callable

import jax
import numpy as np
import optax
from jax.sharding import Mesh

from fergen.data.dataset import Split
from fergen.evals.heldout import HeldOut


def build(predict: dict[str, Callable], split: Split, *, batch: int = 256, mesh: Mesh | None = None) -> Callable:
    """Return variables -> {validation/accuracy, validation/loss, validation/macro_recall}.

    Args:
        predict: holds `logits(variables, images)`.
        split: the validation split; the last batch is padded under a mask.
        batch: images per pass.
        mesh: split each pass over these devices, of all hosts; None for the default device.
    """
    held, k = HeldOut(split, batch, mesh), len(split.spec.classes)
    n = held.n

    @jax.jit
    def sums(variables, images, labels, start):
        rows, mask = held.rows(start)
        logits, truth = predict["logits"](variables, images[rows]), labels[rows]
        counted = jax.nn.one_hot(truth, k) * mask[:, None]
        hits = (logits.argmax(-1) == truth)[:, None] * counted
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, truth)
        return (losses * mask).sum(), hits.sum(0), counted.sum(0)

    def evaluate(variables) -> dict[str, float]:
        # A loop of calls: XLA's CPU backend runs the body of a scan on one core.
        parts = [sums(variables, held.images, held.labels, start) for start in held.starts()]
        loss, hits, counts = (np.sum([np.asarray(part[i]) for part in parts], axis=0) for i in range(3))
        recall = hits[counts > 0] / counts[counts > 0]
        return {
            "validation/accuracy": float(hits.sum() / n),
            "validation/macro_recall": float(recall.mean()),
            "validation/loss": float(loss / n),
        }

    return evaluate
