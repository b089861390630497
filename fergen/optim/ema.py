"""Exponential moving average of a net's variables, for evaluation."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

# Collections that hold running statistics and are averaged along with the parameters.
_AVERAGED = ("params", "batch_stats")


def ema_init(params: Any, collections: Mapping[str, Any]) -> dict[str, Any]:
    """Start the average at the variables themselves.

    Args:
      params: parameters.
      collections: the other variables of the net by collection.

    Returns:
      {"params": ..., **collections}, in buffers of its own, since a training step donates all of its state and no
      buffer can be donated twice.
    """
    return jax.tree.map(jnp.copy, {"params": params, **collections})


def ema_update(
    ema: Mapping[str, Any],
    params: Any,
    collections: Mapping[str, Any],
    decay: float,
    step: jax.typing.ArrayLike,
    *,
    ramp: bool = True,
) -> dict[str, Any]:
    """Move the average towards the present variables: ema <- ema + (1 - decay) (now - ema).

    Parameters and batch statistics are averaged; other collections, and whole numbers, are taken as they are now.
    Early in a run the average would still hold the random start, hence the ramp: the decay in effect is
    min(decay, (1 + step) / (10 + step)), the warm-up of TensorFlow's ExponentialMovingAverage.

    Args:
      ema: the average, as from `ema_init`.
      params: parameters after the update.
      collections: the other variables after the update.
      decay: weight of the past in [0, 1].
      step: number of updates before this one.
      ramp: whether the decay rises over the first updates.

    Returns:
      The new average.
    """
    step = jnp.asarray(step, jnp.float32)
    keep = jnp.minimum(decay, (1.0 + step) / (10.0 + step)) if ramp else jnp.float32(decay)

    def lerp(old: jax.Array, now: jax.Array) -> jax.Array:
        if not jnp.issubdtype(now.dtype, jnp.floating):
            return now
        return old + ((1.0 - keep) * (now - old)).astype(old.dtype)

    variables = {"params": params, **collections}
    return {
        name: jax.tree.map(lerp, ema[name], value) if name in _AVERAGED else value for name, value in variables.items()
    }
