"""Learning rates over a run, as factors of the peak rate in closed form."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from fergen.core import fields
from fergen.core.errors import BadInput

Schedule = Callable[[jax.typing.ArrayLike], jax.Array]

# The fields of each schedule with their defaults.
_FIELDS: dict[str, dict[str, Any]] = {
    "constant": {"warmup": 0},
    "cosine": {"warmup": 0, "final": 0.0},
    "step": {"warmup": 0, "at": (0.5, 0.75), "factor": 0.1},
    "onecycle": {"warmup": 0.3, "start": 0.04, "final": 4e-6},
}


def build(config: Mapping[str, Any] | None, lr: float, updates: int) -> Schedule:
    """Build the learning rate as a function of the number of updates made so far.

    Args:
      config: {"name": ..., fields}. None is a constant rate. A length is a fraction of the run below 1 and a number of
        updates from 1 on.
          constant: warmup.
          cosine: warmup; final = last rate as a fraction of the peak. Loshchilov & Hutter 2017, eq. 5, one period.
          step: warmup; at = lengths after which the rate is multiplied by factor.
          onecycle: warmup = length of the rise; start, final = first and last rate as fractions of the peak; rise and
            fall are half cosines. Smith & Topin 2018, in the form of PyTorch's OneCycleLR.
        Except in onecycle, warm-up is linear: update t of w has (t + 1) / w of the rate, so that no update is void.
      lr: peak learning rate.
      updates: number of updates in the run.

    Returns:
      schedule(count) -> learning rate, of jax's default float type; beyond the run it stays at its last value.

    Raises:
      BadInput: the schedule or a field is unknown or out of range.
    """
    name, given = fields.read_named({"name": "constant"} if config is None else config, "optim.schedule", _FIELDS)
    warmup = _length("optim.schedule.warmup", given["warmup"], updates)
    for field in ("final", "factor", "start"):
        if field in given:
            given[field] = fields.number(f"optim.schedule.{field}", given[field], 0.0, 1.0)

    if name == "onecycle":
        return _onecycle(lr, updates, warmup, given["start"], given["final"])
    if name == "cosine":
        shape = _cosine(updates, warmup, given["final"])
    elif name == "step":
        at = given["at"]
        if not isinstance(at, list | tuple):
            raise BadInput(f"optim.schedule.at: expected a list of lengths, found {at!r}")
        drops = [_length("optim.schedule.at", length, updates) for length in at]
        shape = _steps(drops, given["factor"])
    else:
        shape = jnp.ones_like

    def schedule(count: jax.typing.ArrayLike) -> jax.Array:
        t = jnp.asarray(count, float)
        rise = jnp.minimum(1.0, (t + 1.0) / warmup) if warmup else 1.0
        return lr * rise * shape(t)

    return schedule


def _length(where: str, value: Any, updates: int) -> int:
    """Resolve a fraction of the run, or a number of updates, into a number of updates."""
    value = fields.number(where, value)
    length = round(value * updates) if value < 1 else value
    if length != int(length) or length > updates:
        raise BadInput(
            f"{where}: expected a fraction below 1 or a whole number of at most {updates} updates, found {value:g}"
        )
    return int(length)


def _cosine(updates: int, warmup: int, final: float) -> Callable[[jax.Array], jax.Array]:
    span = max(updates - warmup, 1)

    def shape(t: jax.Array) -> jax.Array:
        progress = jnp.clip((t - warmup) / span, 0.0, 1.0)
        return final + (1.0 - final) * 0.5 * (1.0 + jnp.cos(math.pi * progress))

    return shape


def _steps(drops: list[int], factor: float) -> Callable[[jax.Array], jax.Array]:
    def shape(t: jax.Array) -> jax.Array:
        passed = sum((t >= drop).astype(t.dtype) for drop in drops)
        return jnp.asarray(factor, t.dtype) ** passed

    return shape


def _onecycle(lr: float, updates: int, warmup: int, start: float, final: float) -> Schedule:
    # The peak lies on the last update of the rise and the end on the last of the run.
    peak, last = max(warmup - 1, 0), max(updates - 1, 1)

    def schedule(count: jax.typing.ArrayLike) -> jax.Array:
        t = jnp.asarray(count, float)
        up = jnp.clip(t / max(peak, 1), 0.0, 1.0)
        down = jnp.clip((t - peak) / max(last - peak, 1), 0.0, 1.0)
        rise = 1.0 - (1.0 - start) * 0.5 * (1.0 + jnp.cos(math.pi * up))
        fall = final + (1.0 - final) * 0.5 * (1.0 + jnp.cos(math.pi * down))
        return lr * jnp.where(t < peak, rise, fall)

    return schedule
