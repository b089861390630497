"""What programs are made for: the devices at hand, or those of a slice that is only described (`fergen plan`).

What depends on the platform, such as the forms of `fergen.nn.conv`, asks here and nowhere else, and so does the mesh.
The value is part of jit's cache key: a function traced for one target is traced again for another.
"""

import contextlib
from collections.abc import Generator, Sequence

import jax

_slice = jax.make_user_context(default_value=None)


@contextlib.contextmanager
def described(devices: Sequence[jax.Device]) -> Generator[None]:
    """Make programs for these devices, of a `jax.experimental.topologies` description, within the context.

    Nothing can run on them: `fergen.core.mesh.place` gives shapes, and jitted functions are lowered and compiled.
    """
    with _slice(tuple(devices)):
        yield


def is_described() -> bool:
    """Whether the devices are described ones, on which nothing runs."""
    return _slice.value is not None


def devices() -> list[jax.Device]:
    """Return the devices that programs are made for."""
    return jax.devices() if _slice.value is None else list(_slice.value)


def platform() -> str:
    """Return what programs are made for: cpu, gpu or tpu."""
    return jax.default_backend() if _slice.value is None else _slice.value[0].platform
