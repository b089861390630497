"""What a synthetic set is asked to be, and whether it can be written where it is to lie."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from fergen.core import lineage as lineages
from fergen.core.errors import BadInput
from fergen.data.sources import synthetic as layout
from fergen.data.vocabulary import mapping
from fergen.evals.control import require_classes
from fergen.tasks.state import require_classifier
from fergen.train.restore import Restored

DISK_BLOCK = 4096
"""A file takes whole blocks of so many bytes on most disks."""


class Filter(NamedTuple):
    """Keeps a face if a classifier finds its label the most probable, with at least `confidence`, in [0, 1].

    With `correct`, keeps it whatever label the classifier finds, in place of its own, if it is as sure of that.
    """

    classifier: Restored
    confidence: float = 0.0
    correct: bool = False


def describe(
    net: Restored, counts: Mapping[str, int], *, form: str, keep: Filter | None, judge: Restored | None, seed: int
) -> dict[str, Any]:
    """Return what the folder's description says of a request, nothing of it done yet.

    Raises:
        BadInput: faces without emotions where a label is needed, or a classifier that is none or lacks a class.
    """
    if layout.UNLABELLED in counts and (keep or form == "npy"):
        what = "filter" if keep else "labelled set"
        raise BadInput(
            f"weights '{net.name}': a {what} needs faces of known emotions, and this generator is unconditional and"
            " has learned from several; take a conditional one, or train one per class: --config.data.only=happy"
        )
    names = {"generator": net} | ({"filter": keep.classifier} if keep else {}) | ({"judge": judge} if judge else {})
    return {
        "format": layout.FORMAT,
        "form": form,
        "classes": list(net.spec["classes"]),
        "image": dict(net.spec["image"]),
        "counts": dict(counts),
        "seed": seed,
        "generator": net.hash,
        "sampler": net.spec.get("sampler"),
        "filter": {
            **classifier("filter", keep.classifier, counts),
            "confidence": keep.confidence,
            "correct": keep.correct,
        }
        if keep
        else None,
        "judge": classifier("judge", judge, counts) if judge else None,
        # The last part alone, as in the lineage: the set travels to other machines.
        "names": {role: Path(member.name).name for role, member in names.items()},
        "lineage": lineages.merge(net.lineage, keep.classifier.lineage if keep else {}),
        "done": None,
    }


def classifier(role: str, member: Restored, counts: Mapping[str, int]) -> dict[str, Any]:
    """Describe a classifier: its hash, its classes, and which of them is that of which label.

    Raises:
        BadInput: it is no classifier, or lacks a class that is asked for.
    """
    require_classifier(member, f"{role} '{member.name}'")
    labels = [name for name in counts if name != layout.UNLABELLED]
    classes = list(member.spec["classes"])
    if labels:
        require_classes(member.name, classes, labels, role)
    return {"hash": member.hash, "classes": classes, "columns": dict(zip(labels, mapping(labels, classes).tolist()))}


def require_same(folder: Path, about: Mapping[str, Any]) -> None:
    """Check that a folder is new, or was begun with the same request.

    Raises:
        BadInput: something else lies there, or faces of another request.
    """
    if folder.exists() and not folder.is_dir():
        raise BadInput(f"{folder}: expected a folder to write in, found a file")
    if not folder.exists() or all(path.name.startswith(".") for path in folder.iterdir()):
        return
    if not (folder / layout.ABOUT).is_file():
        raise BadInput(f"{folder}: expected a new folder, or one that fergen sample began; found something else")
    found, asked = layout.read_about(folder), json.loads(json.dumps(about))
    for field in asked:
        # The same weights may go by another name today.
        if field not in ("names", "lineage", "done") and found.get(field) != asked[field]:
            raise BadInput(
                f"{folder}: was begun with {field} {found.get(field)}, now it is {asked[field]}; take another folder,"
                " or delete this one"
            )


def require_room(folder: Path, about: Mapping[str, Any], missing: int) -> None:
    """Check that the disk has room for so many faces of a request as are missing.

    Raises:
        BadInput: says the bytes needed and the bytes free.
    """
    size = about["image"]
    image = size["height"] * size["width"] * size["channels"]
    if about["form"] == "png":  # noise is somewhat larger than its pixels, and a file has a head
        image = -(-(image + image // 64 + 1024) // DISK_BLOCK) * DISK_BLOCK
    line = 64 + 11 * sum(len(about[role]["classes"]) for role in ("filter", "judge") if about[role])
    needed = missing * (image + line)
    free = shutil.disk_usage(next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists())).free
    if needed > free:
        raise BadInput(
            f"{folder}: {missing:,} faces need {needed:,} bytes, and the disk has {free:,} free; ask for fewer, or"
            " name a folder on another disk"
        )
