"""The largest batch that fits: the line through the memory of two compilations, and a third to check it."""

import math
from collections.abc import Mapping
from typing import Any

from fergen.train.chips import Slice
from fergen.train.plan_programs import TooLarge, measure, named
from fergen.train.roofline import line

ROUND = 32  # images per device, of which a largest batch is so many times: rows of registers go by eights
MARGIN = 0.05  # of the usable memory, that the largest batch leaves free


def largest_batch(config, place: Slice, first: Mapping[str, Any], *, quiet: bool = False) -> dict[str, Any]:
    """Find the largest batch that fits.

    The second compilation is of a batch that fills about a quarter of the memory: small ones are padded to the sizes of
    registers, and lie in on-chip memory. Only the programs are compiled again that need at least half as much as the
    one that needs most. No batch exceeds the training set.

    Args:
        config: what `first` was measured with.
        place: the slice.
        first: from `measure`.
        quiet: print no progress.

    Returns:
        batch_size and per_device_batch, compiled and fitting; checked, whether the check fitted; points [batch per
        device, bytes]; predicted and found, bytes of the check of `tried` per device, or refused, why not; bound, what
        stops it: memory or the set.
    """
    n, total = len(place.devices), first["hbm"]["total"]
    low, most = config.batch_size // n, first["images"] // n
    room = (1 - MARGIN) * place.chip.usable
    heavy = {name for name, p in first["programs"].items() if 2 * p["temporaries"] >= first["hbm"]["temporaries"]}

    def at(per_device: int) -> float | TooLarge:
        scaled = resized(config, per_device * n)
        found, refused = measure(scaled, place, only=lambda form: named(form, config.scan) in heavy, quiet=quiet)
        return refused or found["hbm"]["resident"] + found["hbm"]["temporaries"] + first["hbm"]["code"]

    def answer(per_device: int, bound: str, **more: Any) -> dict[str, Any]:
        sizes = {"batch_size": per_device * n, "per_device_batch": per_device}
        return {**sizes, "margin": MARGIN, "bound": bound, "checked": True, **more}

    if most <= low:
        return answer(low, "the set", points=[[low, total]])
    each = max(first["hbm"]["temporaries"] / low, 1)
    high = min(low * 2 ** max(1, int(math.log2(0.25 * room / each / low))), most)
    second = at(high)
    if isinstance(second, TooLarge):
        return answer(low, "memory", points=[[low, total]], checked=False, tried=high, refused=second.reason)
    intercept, slope = line((low, total), (high, second))
    best = most if slope <= 0 else max(low, min(int((room - intercept) / slope), most))
    bound = "the set" if best == most else "memory"
    if best > 2 * ROUND:
        best -= best % ROUND
    known, points = (high if second <= room else low), [[low, total], [high, second]]
    if best <= known:
        return answer(known, bound, points=points)
    check: dict[str, Any] = {"points": points, "predicted": intercept + slope * best, "tried": best}
    third = at(best)
    if isinstance(third, TooLarge):
        return answer(known, bound, **check, checked=False, refused=third.reason)
    fits = third <= place.chip.usable
    return answer(best if fits else known, bound, **check, checked=fits, found=third)


def resized(config, batch: int):
    """Return the config with another batch, and epochs that make as many steps."""
    scaled = config.copy_and_resolve_references()
    scaled.epochs = config.epochs * batch / config.batch_size
    scaled.batch_size = batch
    return scaled
