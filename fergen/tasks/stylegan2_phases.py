"""What the phases of a StyleGAN2 step have in common: an optimiser step over rounds, and the average."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from fergen.tasks.state import Net, updated

# (parameters, carry, inputs of a round) -> (loss, (carry, scalars)).
Loss = Callable[[Any, Any, Any], tuple[jax.Array, tuple[Any, dict[str, jax.Array]]]]


def phase(loss: Loss, net: Net, tx: optax.GradientTransformation, carry: Any, inputs: Any) -> tuple:
    """Take one optimiser step of a net on the sum of its rounds' losses.

    Args:
        loss: see `Loss`; the entry `logits` of its scalars may be an array.
        net: the net.
        tx: its optimiser.
        carry: what passes from round to round.
        inputs: with an axis of rounds.

    Returns:
        (net, carry, scalars as means over rounds, norms).
    """

    def one(carry: Any, x: Any) -> tuple:
        grads, (carry, seen) = jax.grad(loss, has_aux=True)(net.params, carry, x)
        return carry, grads, seen

    # No loop for one round: XLA's CPU backend runs the body of a loop on one core.
    if len(jax.tree.leaves(inputs)[0]) == 1:
        carry, grads, seen = one(carry, jax.tree.map(lambda x: x[0], inputs))
    else:

        def add(so_far: tuple, x: Any) -> tuple:
            carry, grads, seen = one(so_far[0], x)
            return (carry, jax.tree.map(jnp.add, so_far[1], grads)), seen

        (carry, grads), seen = jax.lax.scan(add, (carry, jax.tree.map(jnp.zeros_like, net.params)), inputs)
    # As the reference code does: half precision may overflow, and the next step is another.
    grads = jax.tree.map(lambda x: jnp.nan_to_num(x, nan=0.0, posinf=1e5, neginf=-1e5), grads)
    net, norms = updated(net, tx, grads, net.collections)
    seen = {key: value if key == "logits" else value.mean() for key, value in seen.items()}
    return net, carry, seen, norms


def averaged(net: Net, step: jax.Array, batch: int, average: tuple[float, float]) -> dict[str, Any]:
    """Move a net's average: parameters towards the present ones; buffers are taken as they are.

    Args:
        net: after its step.
        step: number of the step.
        batch: images of a step.
        average: images over which it halves what is past, and as which part of the images so far at most, by which the
            first step copies (reference code of arXiv:2006.06676); 0 for no such bound.
    """
    images, share = average
    seen = jnp.minimum(images, step * batch * share) if share else jnp.asarray(images)
    keep = 0.5 ** (batch / jnp.maximum(seen, 1e-8))
    past = (net.ema or {"params": net.params})["params"]
    moved = jax.tree.map(lambda now, old: now + (old - now) * keep.astype(now.dtype), net.params, past)
    return {"params": moved, **net.collections}
