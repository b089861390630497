"""An experiment ahead of time: its real train step, compiled for a TPU slice with no TPU present.

Figures are per device and step, and nothing is measured: `fergen.train.plan_programs` says what is compiled,
`fergen.train.roofline` what the estimate leaves out.
"""

import importlib.metadata
from typing import Any

import jax

import fergen
from fergen.core.errors import BadInput
from fergen.train.chips import Slice, described
from fergen.train.plan_largest import largest_batch
from fergen.train.plan_programs import measure
from fergen.train.roofline import roofline


def plan(config, topology: str, *, largest: bool = True, quiet: bool = False) -> dict[str, Any]:
    """Compile a config's train step for a slice and read what it takes.

    Args:
        config: a ConfigDict.
        topology: `v5e:2x4`; see `fergen.train.chips`.
        largest: look for the largest batch that fits, by two more compilations.
        quiet: print no progress.

    Returns:
        config, topology, devices, batch_size, per_device_batch, precision, images, parameters; hbm, bytes per device
        (resident: state, fixed networks, data set, block; temporaries; code; total; usable) and fits; programs, each
        with its share in a step; step, their sum by share (flops, bytes, collectives, sent); roofline; largest;
        versions. Without a program that fits, `refused` and no more than the sizes.

    Raises:
        BadInput: the config, the topology, or a batch that does not divide by the devices.
    """
    place = described(topology)
    require_divisible(config, place)
    found, refused = measure(config, place, quiet=quiet)
    result = {
        "config": config.name,
        "topology": topology,
        "devices": len(place.devices),
        "device_kind": place.devices[0].device_kind,
        "devices_per_chip": place.chip.devices,
        "batch_size": config.batch_size,
        "per_device_batch": config.batch_size // len(place.devices),
        "scan": config.scan,
        "precision": config.precision,
        **found,
        "versions": {"fergen": fergen.__version__, "jax": jax.__version__, "libtpu": version("libtpu")},
    }
    if refused:
        return {**result, "fits": False, "refused": refused.reason}
    bounds = roofline(
        place.chip, flops=found["step"]["flops"], moved=found["step"]["bytes"], sent=found["step"]["sent"]
    )
    result["roofline"] = {
        "compute_seconds": bounds.compute,
        "memory_seconds": bounds.memory,
        "links_seconds": bounds.links,
        "seconds": bounds.seconds,
        "bound": bounds.bound,
        "images_per_second": config.batch_size / bounds.seconds,
    }
    if largest and result["fits"]:
        result["largest"] = largest_batch(config, place, found, quiet=quiet)
    return result


def require_divisible(config, place: Slice) -> None:
    """Check that the batch divides by the slice's devices.

    Raises:
        BadInput: says which batches do.
    """
    n = len(place.devices)
    if config.batch_size % n:
        raise BadInput(
            f"--config.batch_size={config.batch_size}: does not divide by the {n} devices of {place.topology}; take a"
            f" multiple of {n}, or --per_device_batch={max(1, round(config.batch_size / n))}"
        )


def version(distribution: str) -> str:
    """Return the installed version of a distribution; '' if there is none."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""
