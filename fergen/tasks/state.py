"""What a task trains: arrays only, one pytree that is donated to each step and saved as it is."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import flax.struct
import jax
import optax

from fergen.core.errors import BadInput
from fergen.optim.ema import ema_init


class Fixed(Protocol):
    """A network that a task uses and does not train: a guide, a perceptual network; `train.restore` makes them."""

    @property
    def name(self) -> str:
        """The reference."""

    @property
    def hash(self) -> str:
        """Of its weights."""

    @property
    def spec(self) -> dict[str, Any]:
        """What its functions were built from."""

    @property
    def predict(self) -> dict[str, Callable]:
        """Name -> pure function of (variables, ...)."""


def require_classifier(net: Fixed, where: str, function: str = "logits") -> None:
    """Check that a network is a classifier.

    Args:
        net: read from weights.
        where: what named it, as the message begins.
        function: of `net.predict`, that is wanted of it.

    Raises:
        BadInput: it is another network.
    """
    if function not in net.predict:
        raise BadInput(f"{where}: expected a classifier, found a {net.spec['task']}")


def recorded(role: str, fixed: Mapping[str, Fixed]) -> dict[str, Any]:
    """Return what a spec says of the fixed network of a role: {} without one."""
    net = fixed.get(role)
    # The last part alone of a path: a spec travels to other machines.
    return {role: {"name": Path(net.name).name, "hash": net.hash, "model": net.spec["model"]}} if net else {}


def first_steps(share: float, steps: int, scan: int) -> int:
    """Return how many steps the first of a training's two phases has: whole dispatches, one at least in each phase.

    Args:
        share: of the steps; 0 for no such phase.
        steps: of the whole run.
        scan: steps per dispatch.
    """
    return min(max(1, round(share * steps / scan)), steps // scan - 1) * scan if share else 0


class Net(flax.struct.PyTreeNode):
    """One network: parameters, other collections (batch statistics), optimiser state, and their moving average."""

    params: Any
    collections: dict[str, Any]
    opt_state: Any
    ema: dict[str, Any] | None = None

    def variables(self) -> dict[str, Any]:
        """Return the weights for use: the moving average where there is one."""
        return self.ema if self.ema is not None else {"params": self.params, **self.collections}


class State(flax.struct.PyTreeNode):
    """A task's whole state: the step (int32), its nets by name, and extra scalars (ada_p, pl_mean, ...)."""

    step: jax.Array
    nets: dict[str, Net]
    scalars: dict[str, jax.Array] = flax.struct.field(default_factory=dict)


def new_net(variables: dict[str, Any], tx, *, ema: bool) -> Net:
    """Make a net from initialised variables, with a fresh optimiser state and, if wanted, its average."""
    collections = {k: v for k, v in variables.items() if k != "params"}
    params = variables["params"]
    return Net(params, collections, tx.init(params), ema_init(params, collections) if ema else None)


def merged(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the metrics of a step from those of its parts: what several parts report adds up."""
    found: dict[str, Any] = {}
    for metrics in parts:
        for name, value in metrics.items():
            found[name] = found[name] + value if name in found else value
    return found


def updated(net: Net, tx: optax.GradientTransformation, grads: Any, collections: dict) -> tuple[Net, dict]:
    """Return the net after its optimiser's step, and the norms of gradient, update and parameters."""
    updates, opt_state = tx.update(grads, net.opt_state, net.params)
    params = optax.apply_updates(net.params, updates)
    trees = {"gradient": grads, "update": updates, "parameters": params}
    net = net.replace(params=params, collections=collections, opt_state=opt_state)
    return net, {name: optax.tree.norm(tree) for name, tree in trees.items()}
