"""Which leaves of the parameters an optimiser treats how, decided by their shape and by their names."""

import fnmatch
from collections.abc import Mapping, Sequence
from typing import Any

import jax

from fergen.core.errors import BadInput
from fergen.core.tree import leaf_names, name_of


def decayed(params: Any) -> Any:
    """Mark the kernels: leaves of two or more dimensions. Biases and the scales of normalisation are not decayed.

    Args:
      params: pytree of parameters.

    Returns:
      Pytree of bool.
    """
    return jax.tree.map(lambda leaf: leaf.ndim >= 2, params)


def matching(params: Any, patterns: Sequence[str]) -> Any:
    """Mark the leaves whose name, such as "stage1/conv/kernel", is matched by one of the patterns.

    Args:
      params: pytree of parameters.
      patterns: shell patterns, in which * stands for any characters, / included.

    Returns:
      Pytree of bool.
    """
    return jax.tree_util.tree_map_with_path(
        lambda path, _: any(fnmatch.fnmatchcase(name_of(path), pattern) for pattern in patterns), params
    )


def factors(params: Any, multipliers: Mapping[str, float]) -> Any:
    """Give every leaf the factor of the longest pattern that matches its name, 1.0 without any.

    The longest and not the first, because config mappings do not keep the order of their fields.

    Args:
      params: pytree of parameters.
      multipliers: factors by shell pattern.

    Returns:
      Pytree of float.
    """
    precedence = sorted(multipliers, key=lambda pattern: (-len(pattern), pattern))

    def factor(path: tuple, _: Any) -> float:
        name = name_of(path)
        return next((multipliers[pattern] for pattern in precedence if fnmatch.fnmatchcase(name, pattern)), 1.0)

    return jax.tree_util.tree_map_with_path(factor, params)


def require_matches(params: Any, patterns: Sequence[str], where: str) -> None:
    """Check that every pattern matches some leaf.

    Raises:
      BadInput: names the pattern, and some leaves as an example.
    """
    names = list(leaf_names(params))
    for pattern in patterns:
        if not fnmatch.filter(names, pattern):
            shown = ", ".join(names[:3] + names[-1:])
            raise BadInput(f"{where}: {pattern!r} matches none of the {len(names)} parameters ({shown}, ...)")
