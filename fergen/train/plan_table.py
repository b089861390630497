"""A plan's figures as text, and several plans' as a Markdown table."""

from collections.abc import Mapping, Sequence
from typing import Any

from fergen.core.errors import BadInput


def text(plan: Mapping[str, Any]) -> str:
    """Return one plan as a table for terminals."""
    batch = f"batch {plan['batch_size']:,} ({plan['per_device_batch']:,} each), {plan['precision']}"
    rows = [f"{plan['config']} on {plan['topology']}: {devices(plan)}, {batch}, {plan['parameters']:,} parameters"]

    def add(label: str, value: str) -> None:
        rows.append(f"  {label:<22} {value}")

    hbm = plan["hbm"]
    add("resident", f"{size(hbm['resident'])}: state, fixed networks, {plan['images']:,} images where they are kept")
    if "refused" in plan:
        add("fits", f"no: {plan['refused']}")
        return "\n".join(rows + [versions(plan)])
    add("temporaries", f"{size(hbm['temporaries'])}, of the program that needs most")
    add("code", size(hbm["code"]))
    share = hbm["total"] / hbm["usable"]
    add("memory", f"{size(hbm['total'])} of {size(hbm['usable'])} ({share:.1%})")
    add("fits", "yes" if plan["fits"] else "no")
    step, bound = plan["step"], plan["roofline"]
    add("arithmetic per step", f"{number(step['flops'])}FLOP")
    add("traffic per step", f"{number(step['bytes'])}B, memory on the chip included")
    for kind, found in step["collectives"].items():
        add(f"{kind} per step", f"{found['count']:.3g} of {number(found['bytes'])}B together")
    rate = f"{bound['images_per_second']:,.0f} images/s"
    add("estimate per step", f"{time(bound['seconds'])} (roofline, not measured): bound by {bound['bound']}; {rate}")
    add(
        "",
        f"compute {time(bound['compute_seconds'])}, memory {time(bound['memory_seconds'])},"
        f" links {time(bound['links_seconds'])}",
    )
    if "largest" in plan:
        add("largest batch", largest(plan["largest"]))
    if len(plan["programs"]) > 1:
        rows.append("  programs, per step of training:")
        for name, part in plan["programs"].items():
            work = f"{number(max(part['flops'], part['products']))}FLOP, {number(part['bytes'])}B"
            rows.append(f"    {name}: {part['per_step']:.3g} x ({work}), {size(part['temporaries'])} temporaries")
    for name, part in plan["programs"].items():
        if part["loops"]:
            rounds = ", ".join(map(str, part["loops"]))
            rows.append(f"  {name} holds loops ({rounds} rounds), counted once in traffic: the time is too short")
    return "\n".join(rows + [versions(plan)])


def largest(found: Mapping[str, Any]) -> str:
    """Return what is known of the largest batch, in words."""
    known = f"{found['batch_size']:,} ({found['per_device_batch']:,} each)"
    tried = found.get("tried")
    if found["checked"] and found["bound"] == "the set":
        return f"{known}, all that the training set fills: compiled, fits"
    if found["checked"] and tried:
        return (
            f"{known}, leaving {found['margin']:.0%}: compiled, takes {size(found['found'])},"
            f" {size(found['predicted'])} predicted"
        )
    if found["checked"]:
        return f"{known}, leaving {found['margin']:.0%}: compiled"
    why = found.get("refused") or f"takes {size(found['found'])}"
    return f"at least {known}, compiled; the check of {tried or 'more'} each failed: {why}"


def markdown(plans: Sequence[tuple[str, Any]]) -> str:
    """Return several plans as a table.

    Args:
        plans: (file, what `fergen plan --out` wrote there).

    Raises:
        BadInput: a file is no plan.
    """
    head = (
        "config",
        "slice",
        "batch",
        "memory per device",
        "GFLOP",
        "GB moved",
        "collectives",
        "step",
        "largest batch",
    )
    rows = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for path, plan in plans:
        try:
            rows.append(row(plan))
        except (KeyError, TypeError) as error:
            said = f"{type(error).__name__}: {error}"
            raise BadInput(f"{path}: expected what fergen plan --out writes, found none ({said})") from None
    seen = dict.fromkeys(versions(plan).strip() for _, plan in plans)
    return "\n".join([*rows, "", *seen])


def row(plan: Mapping[str, Any]) -> str:
    """Return a plan as a row."""
    short = "bf16" if plan["precision"] == "bfloat16" else "f32"
    begin = f"| {plan['config']}, {short} | {plan['topology']} | {plan['batch_size']:,} |"
    if "refused" in plan:
        return f"{begin} does not fit: {plan['refused']} | | | | | |"
    hbm, step, bound = plan["hbm"], plan["step"], plan["roofline"]
    often, told = (sum(found[field] for found in step["collectives"].values()) for field in ("count", "bytes"))
    least = f"{time(bound['seconds'])}, {bound['bound']}"
    found = plan.get("largest")
    most = "" if not found else f"{'' if found['checked'] else '≥ '}{found['batch_size']:,}"
    most += " (the set)" if found and found["checked"] and found["bound"] == "the set" else ""
    return (
        f"{begin} {hbm['total'] / 2**30:.2f} of {hbm['usable'] / 2**30:.2f} GiB | {step['flops'] / 1e9:,.3g} |"
        f" {step['bytes'] / 1e9:,.3g} | {often:.3g}, {told / 1e6:,.3g} MB | {least} |"
        f" {most} |"
    )


def devices(plan: Mapping[str, Any]) -> str:
    """Return what the slice is made of."""
    kind = f"{plan['devices']} x {plan['device_kind']}"
    return kind if plan["devices_per_chip"] == 1 else f"{kind} ({plan['devices_per_chip']} devices per chip)"


def versions(plan: Mapping[str, Any]) -> str:
    """Return the versions that the figures come from."""
    return "  " + ", ".join(f"{name} {number}" for name, number in plan["versions"].items())


def size(count: float) -> str:
    """Format bytes of memory."""
    return f"{count / 2**30:.2f} GiB" if count >= 2**28 else f"{count / 2**20:.1f} MiB"


def number(value: float) -> str:
    """Format a count with a decimal prefix and a blank: '5.8 G'."""
    for power, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= power:
            return f"{value / power:.3g} {prefix}"
    return f"{value:.3g} "


def time(seconds: float) -> str:
    """Format a step's time."""
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.3g} µs"
