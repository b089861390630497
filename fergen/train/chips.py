"""TPU chips as Google documents them, and slices of them described without one being there.

Sources: the pages "TPU v5e", "TPU v5p", "TPU v6e" and "TPU7x (Ironwood)" of Google Cloud's TPU documentation,
system architecture. Bandwidths between chips are one direction's: half of what the pages call bidirectional. `usable`
is what libtpu's compiler fills of a device's memory, as its refusals say; a slow test compares. TPU v4 is left out:
libtpu 0.0.42 describes its cores one by one, with half a chip's memory each, while training sees whole chips.
"""

import importlib.util
import re
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

import jax

from fergen.core.errors import BadInput

GiB = 2**30


@dataclass(frozen=True)
class Chip:
    """One generation of TPUs; figures are of a device as jax sees it, of which a chip may hold two.

    Attributes:
        name: as topologies begin.
        axes: of a slice's shape, 2 or 3.
        flops: peak of bfloat16 products, per second.
        bandwidth: of the device's memory, bytes per second.
        links: bytes per second that it sends to its neighbours, over all links.
        usable: bytes of memory that programs may fill.
        devices: per chip.
    """

    name: str
    axes: int
    flops: float
    bandwidth: float
    links: float
    usable: float
    devices: int = 1


CHIPS = {
    chip.name: chip
    for chip in (
        Chip("v5e", 2, 197e12, 819e9, 200e9, 15.75 * GiB),
        Chip("v5p", 3, 459e12, 2765e9, 600e9, 95.74 * GiB),
        Chip("v6e", 2, 918e12, 1638e9, 400e9, 31.25 * GiB),
        Chip("tpu7x", 3, 2307e12 / 2, 7380e9 / 2, 600e9 / 2, 94.75 * GiB, devices=2),
    )
}


class Slice(NamedTuple):
    """A described slice: its topology as given, what it is made of, and its devices, on which nothing can run."""

    topology: str
    chip: Chip
    devices: tuple[jax.Device, ...]


def described(topology: str) -> Slice:
    """Describe a slice by its topology, `v5e:2x4`.

    Raises:
        BadInput: no such chip or shape, or libtpu is not installed.
    """
    match = re.fullmatch(r"(\w+):(\d+(?:x\d+)*)", topology)
    chip = CHIPS.get(match[1]) if match else None
    shape = [int(n) for n in match[2].split("x")] if match else []
    if chip is None or len(shape) != chip.axes or 0 in shape:
        raise BadInput(f"--topology={topology}: expected a chip and the shape of a slice: {written()}")
    if importlib.util.find_spec("libtpu") is None:
        raise BadInput("fergen plan compiles with libtpu, which is not installed: pip install 'fergen[tpu]'")
    from jax.experimental import topologies

    # Hosts hold 2x2 chips; what is narrower than that is a part of one.
    narrow = {"chips_per_host_bounds": (1, 1, 1)} if prod(shape) == 1 else {}
    try:
        found = topologies.get_topology_desc(topology, "tpu", **narrow)
    except (jax.errors.JaxRuntimeError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise BadInput(f"--topology={topology}: libtpu knows no such slice ({reason}); take {written()}") from None
    return Slice(topology, chip, tuple(found.devices))


def written() -> str:
    """Return how topologies are written, for messages."""
    flat, deep = (", ".join(c.name for c in CHIPS.values() if c.axes == axes) for axes in (2, 3))
    return f"{flat}: 1x1, 2x2, 2x4, 4x4, ... 16x16, as v5e:2x4; {deep}: 1x1x1, 2x2x1, 2x2x2, ... as v5p:2x2x1"
