"""What a prepared set really holds: counts, statistics, twins, conflicts, and agreement of its two label sources."""

from collections.abc import Mapping, Sequence

import numpy as np

LISTED = 50
"""At most so many row ids are listed under one finding; counts are always whole."""


class PixelStatistics:
    """Mean and standard deviation per channel, gathered in exact integer sums."""

    def __init__(self, channels: int):
        self.total = [0] * channels
        self.squares = [0] * channels
        self.count = 0

    def add(self, images: np.ndarray) -> None:
        """Count in images, uint8 [n, h, w, c]."""
        # A histogram per channel: exact, and quicker than widening every pixel to 64 bits.
        values = np.arange(256, dtype=np.int64)
        for channel in range(images.shape[-1]):
            counts = np.bincount(images[..., channel].ravel(), minlength=256)
            self.total[channel] += int(counts @ values)
            self.squares[channel] += int(counts @ values**2)
        self.count += images[..., 0].size

    def mean_std(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return mean and std per channel of the images as floats in [-1, 1]."""
        if not self.count:
            return (0.0,) * len(self.total), (1.0,) * len(self.total)
        mean = [total / self.count for total in self.total]
        variance = [squares / self.count - m * m for squares, m in zip(self.squares, mean)]
        return tuple(m / 127.5 - 1 for m in mean), tuple(max(v, 0.0) ** 0.5 / 127.5 for v in variance)


def findings(
    *,
    digests: np.ndarray,
    label: np.ndarray,
    split: np.ndarray,
    ids: np.ndarray,
    constant: np.ndarray,
    classes: Sequence[str],
    ferplus: np.ndarray | None = None,
) -> dict:
    """Audit all rows of a prepared set at once.

    Args:
        digests: bytes [n], equal for pixel-identical images.
        label: int [n], indices into `classes`.
        split: str [n], the split each row is stored in.
        ids: int [n], row numbers in the source.
        constant: bool [n], images of a single value.
        classes: class names.
        ferplus: int [n], FER+ majority as indices into `classes`, -1 for none.

    Returns:
        A JSON-ready dict: counts, twins, conflicts, constant, and ferplus where given.
    """
    names = [name for name in ("train", "validation", "public", "test") if (split == name).any()]
    report = {
        "images": len(label),
        "unique_images": len(np.unique(digests)),
        "counts": {
            name: dict(zip(classes, np.bincount(label[split == name], minlength=len(classes)).tolist()))
            for name in names
        },
        "twins": twins(digests, split, names),
        "conflicts": conflicts(digests, label, ids),
        "constant": {
            "images": int(constant.sum()),
            "by_split": {name: int((constant & (split == name)).sum()) for name in names},
            "ids": ids[constant][:LISTED].tolist(),
        },
    }
    if ferplus is not None:
        report["ferplus"] = {name: agreement(label[split == name], ferplus[split == name], classes) for name in names}
    return report


def twins(digests: np.ndarray, split: np.ndarray, names: Sequence[str]) -> dict:
    """Count pixel-identical images within each split and across each pair of splits.

    Returns:
        within: split -> {groups, images in them, surplus: images beyond the first of each group};
        across: "a~b" -> {images of a with a twin in b, images of b with a twin in a}.
    """
    within, across = {}, {}
    for name in names:
        _, sizes = np.unique(digests[split == name], return_counts=True)
        groups = sizes[sizes > 1]
        within[name] = {
            "groups": len(groups),
            "images": int(groups.sum()),
            "surplus": int((groups - 1).sum()),
        }
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            in_a, in_b = digests[split == a], digests[split == b]
            across[f"{a}~{b}"] = {a: int(np.isin(in_a, in_b).sum()), b: int(np.isin(in_b, in_a).sum())}
    return {"within": within, "across": across}


def conflicts(digests: np.ndarray, label: np.ndarray, ids: np.ndarray) -> dict:
    """Count groups of pixel-identical images that carry different labels."""
    _, group = np.unique(digests, return_inverse=True)
    groups = int(group.max()) + 1 if len(group) else 0
    lowest = np.full(groups, np.iinfo(np.int64).max)
    highest = np.full(groups, -1)
    np.minimum.at(lowest, group, label)
    np.maximum.at(highest, group, label)
    torn = (lowest != highest)[group] if groups else np.zeros(0, bool)
    return {"groups": int((lowest != highest).sum()), "images": int(torn.sum()), "ids": ids[torn][:LISTED].tolist()}


def agreement(label: np.ndarray, ferplus: np.ndarray, classes: Sequence[str]) -> dict:
    """Compare labels with FER+ majorities, over rows whose majority is a class of the set.

    Returns:
        rows: how many rows have such a majority; agree: share that agrees, or None without rows;
        by_class: label's class -> {rows, agree}.
    """
    voted = ferplus >= 0
    same = label == ferplus

    def share(rows: np.ndarray) -> float | None:
        return float(same[rows].mean()) if rows.any() else None

    by_class = {
        name: {"rows": int((voted & (label == i)).sum()), "agree": share(voted & (label == i))}
        for i, name in enumerate(classes)
    }
    return {"rows": int(voted.sum()), "agree": share(voted), "by_class": by_class}


def table(report: Mapping) -> str:
    """Lay an audit out as text to print.

    Args:
        report: what `fergen prepare` writes to audit.json.
    """
    counts = report["counts"]
    splits = list(counts)
    classes = list(next(iter(counts.values()))) if counts else []
    widest = max([len("all"), *map(len, classes)])
    lines = [f"{'':<{widest}}" + "".join(f"{name:>12}" for name in [*splits, "all"])]
    for name in classes:
        row = [counts[s][name] for s in splits]
        lines.append(f"{name:<{widest}}" + "".join(f"{n:>12,}" for n in [*row, sum(row)]))
    sums = [sum(counts[s].values()) for s in splits]
    lines.append(f"{'all':<{widest}}" + "".join(f"{n:>12,}" for n in [*sums, sum(sums)]))
    lines.append("")
    h, w, c = report["image_shape"]
    mean, std = (", ".join(f"{v:+.4f}" for v in report[k]) for k in ("mean", "std"))
    lines.append(f"images      {h}x{w}, {'gray' if c == 1 else 'colour'}; train mean {mean}, std {std} on [-1, 1]")
    lines.append(f"unique      {report['unique_images']:,} of {report['images']:,} images")
    for name, found in report["twins"]["within"].items():
        lines.append(
            f"twins       {found['images']:,} images of {name} in {found['groups']:,} groups of identical pixels"
        )
    for pair, found in report["twins"]["across"].items():
        a, b = pair.split("~")
        lines.append(f"twins       {found[b]:,} images of {b} also in {a} ({found[a]:,} there)")
    lines.append(
        f"conflicts   {report['conflicts']['groups']:,} groups of identical pixels carry different labels "
        f"({report['conflicts']['images']:,} images)"
    )
    lines.append(f"constant    {report['constant']['images']:,} images of a single value")
    lines.append(f"unreadable  {report['unreadable']['images']:,} images left out")
    for reason, n in report["dropped"].items():
        lines.append(f"dropped     {n:,} rows: {reason}")
    for name, found in report.get("ferplus", {}).items():
        if found["rows"]:
            each = ", ".join(
                f"{k} {100 * v['agree']:.1f}" for k, v in found["by_class"].items() if v["agree"] is not None
            )
            share = f"{100 * found['agree']:.1f} % of {found['rows']:,} rows"
            lines.append(f"FER+        {name}: majority agrees on {share} ({each})")
    lines += [f"note        {note}" for note in report["notes"]]
    return "\n".join(lines)
