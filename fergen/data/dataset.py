"""Reading prepared sets: the one way in for training, evaluation and everything else."""

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from fergen.core.errors import BadInput
from fergen.core.paths import data_root
from fergen.data import layout
from fergen.data.labels import choose
from fergen.data.layout import DatasetSpec
from fergen.data.prepare import prepare
from fergen.data.vocabulary import VOCABULARIES, classes_of

__all__ = ["DatasetSpec", "Split", "available", "load", "load_or_prepare", "spec_of"]


@dataclass(frozen=True)
class Split:
    """One split of a prepared set.

    Attributes:
        spec: the set; its classes are those of the labels here.
        name: the split's name.
        images: uint8 [n, h, w, c], memory-mapped unless rows were dropped.
        rows: name -> array [n, ...]: label int32, id int64, twin bool, and what the set has beside them; see
            `fergen.data.labels.choose`.
        dropped: class, or what became of the FER+ votes -> number of rows left out, their label being none of
            `spec.classes`.
        index: int64 [n], the rows' positions in the stored split, which are also those of its ArrayRecord.
        folder: where the prepared set lies.
    """

    spec: DatasetSpec
    name: str
    images: np.ndarray
    rows: dict[str, np.ndarray]
    dropped: dict[str, int] = field(default_factory=dict)
    index: np.ndarray | None = None
    folder: Path | None = None

    def __len__(self) -> int:
        return len(self.rows["label"])

    @property
    def labels(self) -> np.ndarray:
        """int32 [n], indices into `spec.classes`."""
        return self.rows["label"]


def folder_of(name: str | Path, root: str | Path | None = None) -> Path:
    """Return a prepared set's folder: a path to one, or a name under the data root.

    Raises:
        BadInput: there is no such set; says which there are and how to prepare one.
    """
    direct = Path(name)
    if (direct / layout.SPEC).is_file():
        return direct
    where = Path(root or data_root())
    if (where / name / layout.SPEC).is_file():
        return where / name
    known = ", ".join(available(root)) or "none"
    raise BadInput(
        f"no prepared set '{name}' in {where} (there: {known}); prepare it: fergen prepare {direct.name} --from PATH"
    )


def available(root: str | Path | None = None) -> list[str]:
    """Return the names of the prepared sets under the data root."""
    where = Path(root or data_root())
    return sorted(p.parent.name for p in where.glob(f"*/{layout.SPEC}") if not p.parent.name.startswith("."))


def spec_of(name: str | Path, *, root: str | Path | None = None) -> DatasetSpec:
    """Read a prepared set's description without its images."""
    return layout.read_spec(folder_of(name, root))


def load(
    name: str | Path,
    split: str,
    *,
    root: str | Path | None = None,
    vocabulary: str | None = None,
    labels: str = "own",
    images: bool = True,
) -> Split:
    """Load one split of a prepared set.

    Args:
        name: a set's name under the data root, or a path to a prepared folder.
        split: train, validation, public or test.
        root: the data root; None takes $FERGEN_DATA or the user's cache.
        vocabulary: map labels to this vocabulary and drop rows it lacks; None keeps the set's own classes.
        labels: own, the set's; ferplus, the majority of the FER+ votes; ferplus_soft, their distribution as well.
        images: False leaves the images on disk, for those who stream them; `Split.images` is then empty.

    Returns:
        The split; `spec.classes` are the classes of its labels, `spec.mean` and `spec.std` the prepared train split's.

    Raises:
        BadInput: no such set, split, vocabulary or labels, or a damaged file.
    """
    folder = folder_of(name, root)
    spec = layout.read_spec(folder)
    if split not in spec.splits:
        raise BadInput(f"the set '{spec.name}' has no split '{split}'; it has: {', '.join(spec.splits)}")
    try:
        with np.load(layout.rows_file(folder, split)) as stored:
            rows = {key: stored[key] for key in stored.files}
        pixels = np.load(layout.images_file(folder, split), mmap_mode="r")
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise BadInput(f"{folder}: the split {split} is damaged ({error}); prepare the set again") from None
    if not len(pixels) == len(rows["label"]) == spec.splits[split]:
        raise BadInput(
            f"{folder}: expected {spec.splits[split]} images in {split}, found {len(pixels)} images and "
            f"{len(rows['label'])} labels; prepare the set again"
        )
    classes = spec.classes if vocabulary is None else classes_of(vocabulary)
    try:
        rows, kept, dropped = choose(rows, spec.classes, classes, labels)
    except BadInput as error:
        raise BadInput(f"the set '{spec.name}': {error}") from None
    if classes != spec.classes:
        spec = replace(spec, classes=classes, vocabulary=vocabulary)
    if images and len(kept) < len(pixels):
        pixels = pixels[kept]
    return Split(spec, split, pixels if images else pixels[:0], rows, dropped, kept, folder)


def load_or_prepare(
    name: str | Path,
    split: str,
    *,
    root: str | Path | None = None,
    vocabulary: str | None = None,
    labels: str = "own",
    images: bool = True,
    quiet: bool = False,
) -> Split:
    """Load a split; a set of procedural faces that is not there yet is drawn first.

    Args:
        name: as in `load`; "procedural" may carry options in its name, see `procedural_options`.
        split, root, vocabulary, labels, images: as in `load`.
        quiet: draw without progress.

    Raises:
        BadInput: as in `load`.
    """
    draw_procedural(name, root=root, quiet=quiet)
    return load(name, split, root=root, vocabulary=vocabulary, labels=labels, images=images)


def is_procedural(name: str | Path) -> bool:
    """Whether this is the name of a set of procedural faces, which can be drawn without any file."""
    return str(name).split("_")[0] == "procedural"


def draw_procedural(name: str | Path, *, root: str | Path | None = None, quiet: bool = False) -> None:
    """Prepare a set of procedural faces that is not there yet; any other name is left alone.

    Raises:
        BadInput: the name carries an unknown option.
    """
    if is_procedural(name) and str(name) not in available(root):
        prepare("procedural", name=str(name), root=root, quiet=quiet, **procedural_options(str(name)))


def procedural_options(name: str) -> dict:
    """Read the options that a name of procedural faces carries.

    Args:
        name: "procedural", then in any order, separated by underscores: a size in pixels (`64`), `rgb` or `gray`,
            a vocabulary (`five`), `n20000` for the number of faces, `seed1`.

    Raises:
        BadInput: a part of the name is none of these.
    """
    options: dict = {}
    for part in name.split("_")[1:]:
        if part.isdecimal():
            options["size"] = int(part)
        elif part in ("rgb", "gray"):
            options["channels"] = 3 if part == "rgb" else 1
        elif part in VOCABULARIES:
            options["vocabulary"] = part
        elif found := re.fullmatch(r"(n|seed)(\d+)", part):
            options["count" if found[1] == "n" else "seed"] = int(found[2])
        else:
            raise BadInput(
                f"the set '{name}': expected procedural_ and a size, rgb or gray, a vocabulary, n<count> or "
                f"seed<number>, found '{part}'"
            )
    return options
