"""The normalisation of feature maps: by the batch, or of each image for itself."""

import math
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from fergen.core.errors import BadInput

NORMS = ("batch", "group")
GROUPS = 8  # or fewer, where they do not divide the channels


def norm_of(
    kind: str,
    features: int,
    *,
    train: bool,
    name: str,
    momentum: float = 0.9,
    epsilon: float = 1e-5,
    dtype: Any = jnp.float32,
    scale_init: Any = nn.initializers.ones,
) -> nn.Module:
    """Make a normalisation with parameters `scale` and `bias` [features], to be called with x [b, h, w, features].

    Args:
        kind: "batch": batch normalisation (Ioffe & Szegedy 2015, arXiv:1502.03167), whose averages are the collection
            batch_stats. "group": group normalisation (Wu & He 2018, arXiv:1803.08494, eq. 7) in 8 groups, or as many
            as 8 and the channels have as a common divisor; no image has a part in another's, as private training needs.
        features: channels.
        train: batch normalisation goes by the batch and moves its averages, rather than by them.
        name: of the module.
        momentum: of the averages.
        epsilon: added to the variance.
        dtype: of the computation.
        scale_init: of the scale.
    """
    common: dict[str, Any] = {"epsilon": epsilon, "dtype": dtype, "scale_init": scale_init, "name": name}
    if kind == "batch":
        return nn.BatchNorm(use_running_average=not train, momentum=momentum, **common)
    return nn.GroupNorm(num_groups=math.gcd(features, GROUPS), **common)


def checked_norm(model: str, kind: str) -> str:
    """Return the kind of normalisation that a model was asked for.

    Raises:
        BadInput: there is none such.
    """
    if kind not in NORMS:
        raise BadInput(f"model {model}: norm={kind}: expected one of {', '.join(NORMS)}")
    return kind
