"""The arithmetic of a traced function: operations of its convolutions and matrix products, loops counted in full.

XLA's own count takes the body of a loop once, however often it runs.
"""

from math import prod
from typing import Any

import jax


def flops(function: Any, *args: Any) -> float:
    """Count the floating-point operations of convolutions and matrix products, 2 per multiply-add.

    Args:
        function: to be traced; nothing is computed.
        *args: its arguments, arrays or shapes.

    Returns:
        The number for one call, of the form that the platform at hand takes (see `fergen.nn.conv`).
    """
    return count(jax.make_jaxpr(function)(*args).jaxpr)


def count(jaxpr: Any) -> float:
    """Count the operations of a jaxpr: a scan's body times its length, of a cond the dearest branch."""
    total = 0.0
    for eqn in jaxpr.eqns:
        if eqn.primitive.name == "dot_general":
            ((contracted, _), _) = eqn.params["dimension_numbers"]
            left = eqn.invars[0].aval.shape
            total += 2.0 * prod(eqn.outvars[0].aval.shape) * prod(left[i] for i in contracted)
        elif eqn.primitive.name == "conv_general_dilated":
            kernel = eqn.invars[1].aval.shape
            outputs = kernel[eqn.params["dimension_numbers"].rhs_spec[0]]
            total += 2.0 * prod(eqn.outvars[0].aval.shape) * prod(kernel) / outputs
        elif eqn.primitive.name == "cond":
            total += max(count(branch.jaxpr) for branch in eqn.params["branches"])
        else:
            times = eqn.params.get("length", 1) if eqn.primitive.name == "scan" else 1
            inner = [p for p in eqn.params.values() if hasattr(p, "eqns") or hasattr(p, "jaxpr")]
            total += times * sum(count(getattr(p, "jaxpr", p)) for p in inner)
    return total
