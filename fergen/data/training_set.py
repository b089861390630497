"""What a run trains on and chooses on: the rows of a set, all or a share of them, and rows of other sets."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fergen.core import lineage as lineages
from fergen.core.errors import BadInput
from fergen.core.paths import file_hash
from fergen.core.shares import apportion
from fergen.data import corrections, dataset, labels
from fergen.data.dataset import Split
from fergen.data.splits import digest

# What reads or changes single rows needs them in memory.
RESIDENT = {"split": "train", "only": "", "add": (), "share": 1.0, "leave_out": "", "relabel": ""}


def build(options: Mapping[str, Any]) -> tuple[Split, Split | None]:
    """Return the training set and the validation set of a config's `data` group.

    Args:
        options: name, split, vocabulary, labels, stream; `only`, a class (optional); `leave_out`, "2/5", which leaves
            out the second of five parts of the training rows; `relabel`, a file of labels, see
            `fergen.data.corrections`; `share`, of what is left of them, in [0, 1]; `add`, prepared sets whose training
            rows join, a set's name or NAME*N for N of its rows, in the shares of its classes.

    Returns:
        The rows to train on, whose lineage holds the added sets and the relabelling; those to choose on, of the set
        itself and as they are, None for a final run or a set without.

    Raises:
        BadInput: names the field that is wrong.
    """
    require(options)
    name, vocabulary, kind = options["name"], options["vocabulary"] or None, options["labels"]
    train = dataset.load_or_prepare(name, "train", vocabulary=vocabulary, labels=kind, images=not options["stream"])
    validation = None
    if "validation" in train.spec.splits:
        validation = dataset.load(name, "validation", vocabulary=vocabulary, labels=kind)
    if options["relabel"]:
        train = corrections.apply(train, options["relabel"])
        train = inherit(train, lineages.of_data(Path(options["relabel"]).name, file_hash(options["relabel"])))
    if only := options.get("only", ""):
        train, validation = labels.only(train, only), validation and labels.only(validation, only)
    if options["split"] == "train+validation" and validation:
        # What was trained on can choose nothing: a final run has a frozen schedule and no validation.
        train, validation = labels.join(train, validation), None
    if options["leave_out"]:
        part, k = part_of(options["leave_out"])
        train = labels.rows_of(train, np.flatnonzero(parts(train, k) != part))
    if options["share"] < 1:
        train = labels.rows_of(train, stratified(train.labels, round(options["share"] * len(train))))
    for added in options["add"]:
        train = add(train, added)
    return train, validation


def require(options: Mapping[str, Any]) -> None:
    """Check the fields.

    Raises:
        BadInput: names the first that is wrong.
    """
    if options["split"] not in ("train", "train+validation"):
        raise BadInput(f"--config.data.split={options['split']}: expected train or train+validation (a final run)")
    for field, value in RESIDENT.items():
        if options["stream"] and (given := options.get(field, value)) != value:
            raise BadInput(
                f"--config.data.{field}={given}: streamed input reads one split, train, whole; leave data.stream False"
            )
    share, leave_out = options["share"], options["leave_out"]
    if not 0 <= share <= 1 or (share == 0 and not options["add"]):
        raise BadInput(f"--config.data.share={share}: expected a share in [0, 1], above 0 unless data.add names a set")
    if leave_out:
        part_of(leave_out)


def part_of(text: str) -> tuple[int, int]:
    """Read "2/5" as (1, 5).

    Raises:
        BadInput: another form.
    """
    number, slash, of = text.partition("/")
    if not (slash and number.isdecimal() and of.isdecimal()) or not 1 <= int(number) <= int(of) or int(of) < 2:
        raise BadInput(f"--config.data.leave_out={text}: expected PART/PARTS such as 2/5, found '{text}'")
    return int(number) - 1, int(of)


def parts(split: Split, k: int) -> np.ndarray:
    """Return which of k parts each row belongs to, by its pixels, so that identical images fall together: int [n]."""
    return np.array([int.from_bytes(digest(image)[8:], "big") % k for image in split.images], np.int64)


def stratified(label: np.ndarray, n: int) -> np.ndarray:
    """Choose n rows in the shares of the classes.

    The choice is one fixed order's beginning, class by class: fewer rows are a part of more.

    Args:
        label: int [m].
        n: at most m.

    Returns:
        int64 [n], ascending.
    """
    counts = np.bincount(label)
    order = np.random.default_rng(0).permutation(len(label))
    chosen = [order[label[order] == c][:wanted] for c, wanted in enumerate(apportion(n, counts))]
    return np.sort(np.concatenate(chosen))


def add(split: Split, text: str) -> Split:
    """Join the training rows of another set.

    Args:
        split: what there is.
        text: a prepared set's name or folder, or NAME*N for N of its rows.

    Raises:
        BadInput: no such set, images of another shape, no class in common, or fewer rows than asked for.
    """
    name, star, wanted = text.rpartition("*") if "*" in text else (text, "", "")
    if star and not (wanted.isdecimal() and int(wanted)):
        raise BadInput(f"--config.data.add={text}: expected a set's name, or NAME*N for N of its rows")
    other = dataset.load_or_prepare(name, "train")
    if other.spec.image_shape != split.spec.image_shape:
        size, found = ("x".join(map(str, s.spec.image_shape)) for s in (split, other))
        raise BadInput(f"--config.data.add={text}: expected images of {size}, found {found}; prepare it with --size")
    other = labels.in_classes(other, split.spec.classes)
    if len(other) < int(wanted or 1):
        raise BadInput(
            f"--config.data.add={text}: expected {int(wanted or 1):,} rows of {', '.join(split.spec.classes)}, found"
            f" {len(other):,}"
        )
    if star:
        other = labels.rows_of(other, stratified(other.labels, int(wanted)))
    if "soft" in split.rows:
        one_hot = np.eye(len(split.spec.classes), dtype=np.float32)[other.labels]
        other = dataclasses.replace(other, rows={**other.rows, "soft": one_hot})
    joined = labels.join(split, other)
    return inherit(joined, lineages.of_data(other.spec.name, other.spec.hash, other.spec.lineage))


def inherit(split: Split, lineage: dict) -> Split:
    """Return a split whose set's lineage holds another one too."""
    return dataclasses.replace(
        split, spec=dataclasses.replace(split.spec, lineage=lineages.merge(split.spec.lineage, lineage))
    )
