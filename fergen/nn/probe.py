"""A probe on the activations of a network's last convolution: read them, and add to them.

The derivative of an output by activations inside a network is its derivative by what is added to them, at zero.
"""

import flax.linen as nn
import jax

COLLECTION, NAME = "probes", "last_convolution"


def probed(module: nn.Module, x: jax.Array) -> jax.Array:
    """Sow a network's last feature maps before any pooling, and add what the caller gave for them.

    A model calls it once, behind the activation of its last convolution. Without a variable `probes/last_convolution`
    and with intermediates that nobody asked for, it is the identity; it brings no variables of its own.

    Args:
        module: the network, within its `__call__`.
        x: feature maps [b, h, w, c].
    """
    module.sow("intermediates", NAME, x)
    if module.has_variable(COLLECTION, NAME):
        x = x + module.get_variable(COLLECTION, NAME).astype(x.dtype)
    return x
