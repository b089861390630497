"""Random keys derived, never stored: fold_in(run key, step), then a stable hash of a name."""

import zlib

import jax


def named(key: jax.Array, name: str) -> jax.Array:
    """Fold a name into a key; the same name gives the same key in every process and version."""
    return jax.random.fold_in(key, zlib.crc32(name.encode()))
