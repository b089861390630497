"""Which labels to learn from, in which vocabulary, and splits joined for a final run."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fergen.core.errors import BadInput
from fergen.data import ferplus
from fergen.data.splits import digest
from fergen.data.vocabulary import canonical, mapping

if TYPE_CHECKING:
    from fergen.data.dataset import Split

KINDS = ("own", "ferplus", "ferplus_soft")


def choose(
    rows: dict[str, np.ndarray], classes: Sequence[str], to: Sequence[str], kind: str = "own"
) -> tuple[dict[str, np.ndarray], np.ndarray, dict[str, int]]:
    """Take a split's labels of one kind in a vocabulary, and leave out rows that have none there.

    The votes are counted anew in the vocabulary asked for: what is stored beside them is over the set's own classes,
    and seven of them have lost contempt.

    Args:
        rows: name -> array [n, ...] as stored: `label` and, where a set was prepared with them, `votes` uint8 [n, 10].
        classes: the set's own class names, which `label` indexes.
        to: the class names wanted.
        kind: 'own', the set's labels; 'ferplus', the majority of the FER+ votes; 'ferplus_soft', that majority and
            the distribution of the votes beside it.

    Returns:
        rows: of the rows that are kept: `label` int32 [m], an index into `to`; `ferplus` int32 [m], the majority in
            `to`, -1 for none, where there are votes; for 'ferplus_soft' `soft` float32 [m, len(to)], rows sum to 1;
            all else as stored.
        kept: int64 [m], their positions before.
        dropped: class, or what became of the votes -> number of rows left out.

    Raises:
        BadInput: the kind is unknown, or the set was prepared without votes.
    """
    if kind not in KINDS:
        raise BadInput(f"labels '{kind}': expected one of {', '.join(KINDS)}")
    chosen = {name: values for name, values in rows.items() if name not in ("ferplus", "soft")}
    if "votes" in rows:
        chosen["ferplus"] = ferplus.majority(rows["votes"], to)
    elif kind != "own":
        raise BadInput(f"labels '{kind}': the set was prepared without FER+ votes; prepare it again with --ferplus")
    if kind == "own":
        # Classes of a user's own may be synonyms of one another: without another vocabulary they stay apart.
        label = rows["label"] if tuple(to) == tuple(classes) else mapping(classes, to)[rows["label"]]
        lost = np.bincount(rows["label"][label < 0], minlength=len(classes))
        dropped = {name: int(n) for name, n in zip(classes, lost) if n}
    else:
        # The set's own label decides nothing here, not even which rows there are.
        label = chosen["ferplus"]
        without = Counter(ferplus.outcome(rows["votes"][label < 0], to))
        dropped = {f"FER+ {what}": n for what, n in without.most_common()}
    chosen["label"] = label.astype(np.int32)
    kept = np.flatnonzero(label >= 0)
    if len(kept) < len(label):
        chosen = {name: values[kept] for name, values in chosen.items()}
    if kind == "ferplus_soft":
        chosen["soft"] = ferplus.soft_labels(chosen["votes"], chosen["label"], to)
    return chosen, kept, dropped


def only(split: "Split", name: str) -> "Split":
    """Return the images of one class alone; the classes keep their numbers.

    Raises:
        BadInput: the set has no such class.
    """
    classes = split.spec.classes
    # A class of a user's own may be none that the vocabularies know.
    wanted = name if name in classes else canonical(name)
    if wanted not in classes:
        raise BadInput(f"the set '{split.spec.name}' has no class '{name}'; it has: {', '.join(classes)}")
    return rows_of(split, np.flatnonzero(split.labels == classes.index(wanted)))


def rows_of(split: "Split", kept: np.ndarray) -> "Split":
    """Return the rows of a split that are named by their positions: int [m]."""
    return dataclasses.replace(
        split,
        images=split.images[kept],
        rows={key: values[kept] for key, values in split.rows.items()},
        index=None if split.index is None else split.index[kept],
    )


def once(split: "Split") -> "Split":
    """Return a split without the images that it holds more than once."""
    seen = [digest(image) for image in split.images]
    counts = Counter(seen)
    return rows_of(split, np.flatnonzero([counts[each] == 1 for each in seen]))


def in_classes(split: "Split", classes: Sequence[str]) -> "Split":
    """Return a split with its labels among other classes; rows that have none there are left out.

    Args:
        split: labelled in its own classes.
        classes: the names wanted.
    """
    known = split.spec.classes
    label = split.labels if tuple(classes) == tuple(known) else mapping(known, classes)[split.labels]
    spec = dataclasses.replace(split.spec, classes=tuple(classes))
    rows = {**split.rows, "label": label.astype(np.int32)}
    return rows_of(dataclasses.replace(split, spec=spec, rows=rows), np.flatnonzero(label >= 0))


def join(first: "Split", second: "Split") -> "Split":
    """Return two splits as one, for resident input: no shards on disk hold both.

    The description is the first's: of two splits of one set its hash stands for either.
    """
    names = first.rows.keys() & second.rows.keys()
    return dataclasses.replace(
        first,
        name=f"{first.name}+{second.name}",
        images=np.concatenate([first.images, second.images]),
        rows={name: np.concatenate([first.rows[name], second.rows[name]]) for name in names},
        index=None,
        folder=None,
    )
