"""What a task trains: arrays only, one pytree that is donated to each step and saved as it is."""

from typing import Any

import flax.struct
import jax

from fergen.optim.ema import ema_init


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
