"""Follow a flow's velocity from noise to images, in numpy: what `fergen.tasks.flow_predict` does inside JAX.

Euler's and Heun's methods with classifier-free guidance (Ho & Salimans 2022, arXiv:2207.12598, eq. 6) within an
interval of times (Kynkaanniemi et al. 2024, arXiv:2404.07724, eq. 5).
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fergen.core.errors import BadInput

SOLVERS = ("euler", "heun")

# (x float32 [n, h, w, c], time float32 [n], labels int32 [n]) -> dx/dt, of the shape of x.
Velocity = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def sampled(
    velocity: Velocity, noise: np.ndarray, labels: np.ndarray, spec: Mapping[str, Any], **options: Any
) -> np.ndarray:
    """Make images of noise.

    Args:
        velocity: one evaluation of the network; the number of classes as a label stands for none.
        noise: float32 [n, h, w, c], standard normal.
        labels: int [n].
        spec: of the flow: `classes`, `mean` and `std` of its images, and `sampler`.
        **options: fields of the sampler that are to be others: name (euler or heun), steps, guidance, interval, shift.

    Returns:
        float32 [n, h, w, c] in [-1, 1].

    Raises:
        BadInput: an option is unknown or out of range.
    """
    own = spec["sampler"]
    for name in options:
        if name not in own:
            raise BadInput(f"sampler option {name}: expected one of {', '.join(own)}")
    sampler = {**own, **options}
    if sampler["name"] not in SOLVERS or sampler["steps"] < 1:
        raise BadInput(
            f"expected a sampler {' or '.join(SOLVERS)} of at least 1 step, found {sampler['name']} of"
            f" {sampler['steps']}"
        )
    labels, steps, w = np.asarray(labels, np.int32), int(sampler["steps"]), np.float32(sampler["guidance"])
    first, last = sampler["interval"]

    def slope(x: np.ndarray, time: np.float32) -> np.ndarray:
        times = np.full(len(x), time, np.float32)
        if w == 1 or not first <= time <= last:
            return velocity(x, times, labels)
        none = np.full_like(labels, len(spec["classes"]))
        both = velocity(np.concatenate([x, x]), np.concatenate([times, times]), np.concatenate([labels, none]))
        with_label, without = both[: len(x)], both[len(x) :]
        return without + w * (with_label - without)

    x = np.asarray(noise, np.float32)
    for i in range(steps):
        now, then = (time_of(k, steps, sampler["shift"]) for k in (i, i + 1))
        here = slope(x, now)
        ahead = x + (then - now) * here
        # The last step is Euler's: the velocity at the very end says nothing of the noise that is left.
        if sampler["name"] == "heun" and i < steps - 1:
            ahead = x + (then - now) / 2 * (here + slope(ahead, then))
        x = ahead
    return (x * np.asarray(spec["std"], np.float32) + np.asarray(spec["mean"], np.float32)).clip(-1, 1)


def time_of(i: int, steps: int, shift: float) -> np.float32:
    """Return the time at which step i begins: see `fergen.nn.ode.time_of`."""
    left = np.float32(1) - np.float32(i) / np.float32(steps)
    return np.float32(1) - np.float32(shift) * left / (np.float32(1) + np.float32(shift - 1) * left)
