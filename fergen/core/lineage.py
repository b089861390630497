"""Lineage: the hashes of all weights and data that went into a checkpoint, a prepared set or an exported model.

A lineage is {"weights": {hash: name}, "data": {hash: name}}, and is transitive: what went into an ancestor is in it.
"""

from typing import Any

KINDS = ("weights", "data")


def merge(*lineages: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Join lineages, sorted by hash so that equal lineages are equal texts."""
    joined: dict[str, dict[str, str]] = {kind: {} for kind in KINDS}
    for lineage in lineages:
        for kind in KINDS:
            joined[kind].update((lineage or {}).get(kind, {}))
    return {kind: dict(sorted(hashes.items())) for kind, hashes in joined.items()}


def of_data(name: str, digest: str, inherited: dict | None = None) -> dict[str, dict[str, str]]:
    """Return the lineage of something made from a prepared set."""
    return merge(inherited or {}, {"data": {digest: name}})


def of_weights(name: str, digest: str, inherited: dict | None = None) -> dict[str, dict[str, str]]:
    """Return the lineage of something made from a network's weights."""
    return merge(inherited or {}, {"weights": {digest: name}})
