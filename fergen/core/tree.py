"""Pytrees seen as named leaves: 'params/stem/kernel' -> array."""

import hashlib
from typing import Any

import jax
import numpy as np

from fergen.core.errors import BadInput


def name_of(path: tuple) -> str:
    """Join a key path of jax.tree_util into 'a/b/c'."""
    return "/".join(str(getattr(k, "key", getattr(k, "name", getattr(k, "idx", k)))) for k in path)


def leaf_names(tree: Any) -> dict[str, Any]:
    """Return the leaves by name, in the tree's own order."""
    return {name_of(path): leaf for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]}


def nest(named: dict[str, Any]) -> dict:
    """Build nested dicts from names joined by '/', the inverse of `leaf_names` for dicts."""
    tree: dict = {}
    for name, leaf in named.items():
        *parents, last = name.split("/")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = leaf
    return tree


def count(tree: Any) -> int:
    """Return the number of scalars in all leaves."""
    return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(tree))


def tree_hash(tree: Any) -> str:
    """SHA-256 over names, types, shapes and bytes of all leaves, in order of name."""
    digest = hashlib.sha256()
    for name, leaf in sorted(leaf_names(tree).items()):
        array = np.asarray(leaf)
        digest.update(f"{name} {array.dtype.name} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def nonfinite(tree: Any) -> list[str]:
    """Return the names of the leaves that hold a NaN or an infinity."""
    arrays = {name: np.asarray(leaf) for name, leaf in leaf_names(tree).items()}
    return [
        name for name, array in arrays.items()
        if np.issubdtype(array.dtype, np.floating) and not np.isfinite(array).all()
    ]  # fmt: skip


def require_same(tree: Any, expected: Any, what: str) -> None:
    """Check that two trees have the same leaves, shapes and types.

    Raises:
        BadInput: names the first leaf that is missing, unexpected or of another shape or type.
    """
    found, wanted = leaf_names(tree), leaf_names(expected)
    for name in wanted:
        if name not in found:
            raise BadInput(f"{what}: leaf {name} is missing; is it of another architecture?")
        have, want = found[name], wanted[name]
        if tuple(have.shape) != tuple(want.shape) or have.dtype != want.dtype:
            raise BadInput(
                f"{what}: leaf {name}: expected {want.dtype}{list(want.shape)},"
                f" found {have.dtype}{list(have.shape)}; is it of another architecture?"
            )
    for name in found:
        if name not in wanted:
            raise BadInput(f"{what}: leaf {name} is not in this model; is it of another architecture?")
