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
        state: fresh from a task's `init`.
        source: the weights.

    Returns:
        The state. Leaves that were not taken are named on standard error.

    Raises:
        BadInput: not a single leaf fits.
    """
    nets, count, left = {}, 0, []
    for name, net in state.nets.items():
        # Of several nets, each collection of the weights holds one tree per net.
        alone = len(state.nets) == 1
        of_net = source.variables if alone else {k: v[name] for k, v in source.variables.items() if name in v}
        given, fresh = leaf_names(of_net), leaf_names({"params": net.params, **net.collections})
        taken = {n: jnp.asarray(given[n]) for n, leaf in fresh.items() if n in given and given[n].shape == leaf.shape}
        count += len(taken)
        left += [n if alone else f"{name}/{n}" for n in sorted(set(fresh) - set(taken))]
        merged = nest(fresh | taken)
        ema = jax.tree.map(jnp.copy, merged) if net.ema is not None else None
        collections = {k: v for k, v in merged.items() if k != "params"}
        # The optimiser's state depends on shapes alone at the start, so the fresh one holds.
        nets[name] = net.replace(params=merged["params"], collections=collections, ema=ema)
    if not count:
        raise BadInput(f"init_from={source.name}: no leaf fits this model; is it of another architecture?")
    if left:
        print(f"init_from={source.name}: {count} leaves taken, fresh: {', '.join(left)}", file=sys.stderr)
    return state.replace(nets=nets)
