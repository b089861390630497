"""The controller of ADA: raises p while the critic is too sure of real images, lowers it otherwise.

The overfitting measure is r_t, the mean sign of the critic's logits of augmented real images, which is near 1 when
the critic has learnt the training set by heart.

Reference: Karras et al., Training Generative Adversarial Networks with Limited Data, 2020, section 3.1 and eq. 1.
"""

import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from fergen.core import fields
from fergen.core.errors import BadInput


@dataclasses.dataclass(frozen=True)
class Control:
    """How p moves.

    Attributes:
      p: where it starts, and where it stays if `adaptive` is False.
      adaptive: whether it moves at all.
      target: mean sign that is aimed at.
      kimg: thousands of images in which p may cross from 0 to 1.
      interval: steps between changes.
      cap: greatest p. Gates saturate at 1, and the paper finds leaks into generated images from about 0.8.
    """

    p: float = 0.0
    adaptive: bool = True
    target: float = 0.6
    kimg: float = 500.0
    interval: int = 4
    cap: float = 1.0


def read(config: Mapping[str, Any] | None) -> Control:
    """Check a config and fill in defaults.

    Args:
      config: a mapping of fields of `Control`; None as a value keeps the default. None is an empty mapping.

    Returns:
      How p moves.

    Raises:
      BadInput: a field is unknown, has the wrong type or is out of range.
    """
    if config is not None and not hasattr(config, "items"):
        raise BadInput(f"ada_control: expected fields, found {config!r}")
    ranges = {"p": (0.0, 1.0), "target": (-1.0, 1.0), "kimg": (1e-3, math.inf), "cap": (0.0, 1.0)}
    values: dict[str, Any] = {}
    for name, value in config.items() if config is not None else ():
        where = f"ada_control.{name}"
        if name == "adaptive":
            check = fields.flag
        elif name == "interval":
            check = functools.partial(fields.whole, least=1)
        elif name in ranges:
            check = functools.partial(fields.number, least=ranges[name][0], greatest=ranges[name][1])
        else:
            raise BadInput(f"{where}: unknown field; the fields are adaptive, interval, {', '.join(ranges)}")
        if value is not None:
            values[name] = check(where, value)
    return Control(**values)


def start(control: Control) -> dict[str, Float[Array, ""]]:
    """Make the scalars that a state carries: p, and the sum and the number of signs since it last changed."""
    return {"ada_p": jnp.float32(control.p), "ada_sign_sum": jnp.float32(0), "ada_sign_count": jnp.float32(0)}


def observe(
    scalars: dict[str, Array], logits: Float[Array, "..."], weight: Array | float = 1.0
) -> dict[str, Float[Array, ""]]:
    """Count the signs of a critic's logits of augmented real images.

    Args:
      scalars: from `start`; other entries pass unchanged.
      logits: of any shape. The reference counts those of the lazy R1 pass too.
      weight: 0 counts nothing: for a pass that this step leaves out.

    Returns:
      The scalars with the signs counted.
    """
    total = scalars["ada_sign_sum"] + weight * jnp.sign(logits).sum().astype(jnp.float32)
    return scalars | {"ada_sign_sum": total, "ada_sign_count": scalars["ada_sign_count"] + weight * logits.size}


def adapt(scalars: dict[str, Array], step: Int[Array, ""], batch: int, control: Control) -> dict[str, Float[Array, ""]]:
    """Move p at the end of every interval and begin to count anew.

    Args:
      scalars: after `observe`; other entries pass unchanged.
      step: number of this step, from 0; the first change comes at the end of step interval - 1.
      batch: real images of a step, over all devices.
      control: how p moves.

    Returns:
      The scalars after the step.
    """
    if not control.adaptive:
        return scalars
    due = ((step + 1) % control.interval == 0) & (scalars["ada_sign_count"] > 0)
    moved = update_p(
        scalars["ada_p"],
        mean_sign(scalars),
        batch,
        target=control.target,
        kimg=control.kimg,
        interval=control.interval,
        cap=control.cap,
    )
    fresh = start(dataclasses.replace(control, p=0.0)) | {"ada_p": moved}
    return scalars | {name: jnp.where(due, value, scalars[name]) for name, value in fresh.items()}


def mean_sign(scalars: dict[str, Array]) -> Float[Array, ""]:
    """Return r_t, the mean sign since p last changed, in [-1, 1]; 0 if nothing was counted."""
    return scalars["ada_sign_sum"] / jnp.maximum(scalars["ada_sign_count"], 1)


def update_p(
    p: Float[Array, ""] | float,
    sign_mean: Float[Array, ""] | float,
    batch: int,
    *,
    target: float = 0.6,
    kimg: float = 500.0,
    interval: int = 4,
    cap: float = 1.0,
) -> Float[Array, ""]:
    """Move p by one step of fixed length towards what brings the mean sign to its target.

    Args:
      p: strength of the augmentation.
      sign_mean: mean sign of the logits of augmented real images, in [-1, 1].
      batch: real images of a training step.
      target: mean sign that is aimed at.
      kimg: thousands of images in which p may cross from 0 to 1.
      interval: training steps since p last changed.
      cap: greatest p.

    Returns:
      The new p in [0, cap].
    """
    return jnp.clip(p + jnp.sign(sign_mean - target) * (batch * interval / (kimg * 1000)), 0.0, cap)
