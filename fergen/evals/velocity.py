"""A flow's loss on the validation split, with a noise and a time fixed for each row, so that steps can be compared."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from fergen.data.dataset import Split
from fergen.evals.heldout import HeldOut

BINS = 4
GOLDEN = (5**0.5 - 1) / 2


def build(predict: dict[str, Callable], split: Split, *, batch: int = 256, mesh: Mesh | None = None) -> Callable:
    """Return variables -> {validation/loss, validation/loss/time0.125, ...}: means over all times and over quarters.

    Args:
        predict: holds `draw` and `velocity_error(variables, images, labels, noise, time)`.
        split: the validation split; the last batch is padded under a mask.
        batch: images per pass.
        mesh: split each pass over these devices, of all hosts; None for the default device.
    """
    held = HeldOut(split, batch, mesh)
    n = held.n

    @jax.jit
    def sums(variables, images, labels, start):
        rows, mask = held.rows(start)
        key = jax.random.key(0, impl="threefry2x32")
        noise = jax.vmap(lambda row: predict["draw"](jax.random.fold_in(key, row)))(rows)
        # Uniform in [0, 1], and even over any stretch of rows (Weyl's sequence), whatever the order of the labels.
        time = (0.5 + rows * GOLDEN) % 1.0
        losses = predict["velocity_error"](variables, images[rows], labels[rows], noise, time)
        quarter = jax.nn.one_hot(jnp.floor(time * BINS).astype(jnp.int32), BINS) * mask[:, None]
        return losses @ quarter, quarter.sum(0)

    def evaluate(variables) -> dict[str, float]:
        # A loop of calls: XLA's CPU backend runs the body of a scan on one core.
        parts = [sums(variables, held.images, held.labels, start) for start in held.starts()]
        losses, counts = (np.sum([np.asarray(part[i], np.float64) for part in parts], axis=0) for i in range(2))
        found = {"validation/loss": float(losses.sum() / n)}
        for i in range(BINS):
            if counts[i]:
                found[f"validation/loss/time{(i + 0.5) / BINS:g}"] = float(losses[i] / counts[i])
        return found

    return evaluate
