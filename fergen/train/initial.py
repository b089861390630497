"""Starting from other weights: a run of ours or a converted network, as far as names and shapes agree."""

import sys

import jax
import jax.numpy as jnp

from fergen.core.errors import BadInput
from fergen.core.tree import leaf_names, nest
from fergen.tasks.state import State
from fergen.train.restore import Restored


def initialise(state: State, source: Restored) -> State:
    """Put restored weights into a fresh state; what differs in name or shape keeps its random start.

    Args:
        state: fresh from a task's `init`, with the one net that the weights are for.
        source: the weights.

    Returns:
        The state. Leaves that were not taken are named on standard error.

    Raises:
        BadInput: the task has several nets, or not a single leaf fits.
    """
    (name, net), *others = state.nets.items()
    if others:
        raise BadInput(f"init_from={source.name}: this task has several nets; it takes its weights by its own fields")
    given, fresh = leaf_names(source.variables), leaf_names({"params": net.params, **net.collections})
    taken = {n: jnp.asarray(given[n]) for n, leaf in fresh.items() if n in given and given[n].shape == leaf.shape}
    if not taken:
        raise BadInput(f"init_from={source.name}: no leaf fits this model; is it of another architecture?")
    left = sorted(set(fresh) - set(taken))
    if left:
        print(f"init_from={source.name}: {len(taken)} leaves taken, fresh: {', '.join(left)}", file=sys.stderr)
    merged = nest(fresh | taken)
    ema = jax.tree.map(jnp.copy, merged) if net.ema is not None else None
    collections = {k: v for k, v in merged.items() if k != "params"}
    # The optimiser's state depends on shapes alone at the start, so the fresh one holds.
    net = net.replace(params=merged["params"], collections=collections, ema=ema)
    return state.replace(nets={name: net})
