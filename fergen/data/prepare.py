"""From what a user has on disk to a prepared set: read, split, measure, audit, write; whole or not at all."""

import importlib
import inspect
import pkgutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from fergen.core.errors import BadInput, FergenError
from fergen.core.paths import atomic_dir, data_root, read_json
from fergen.data import layout, sources
from fergen.data.fingerprint import fingerprints
from fergen.data.sources import SPLITS, Rows
from fergen.data.writer import write


@dataclass(frozen=True)
class Prepared:
    """The result of `prepare`.

    Attributes:
        folder: where the set lies.
        spec: its description.
        audit: what was found in it, as in audit.json.
        fresh: False when the set was there already, from the same files and options.
    """

    folder: Path
    spec: layout.DatasetSpec
    audit: dict
    fresh: bool


def prepare(
    source: str,
    path: str | Path | None = None,
    *,
    name: str | None = None,
    root: str | Path | None = None,
    splits: str = "hash",
    skip_unreadable: bool = False,
    align: str | None = None,
    boxes: Path | None = None,
    margin: float | None = None,
    quiet: bool = False,
    **options: Any,
) -> Prepared:
    """Prepare a set under `root/name`, unless the same files and options already made it.

    A set of that name from other files or options is replaced once the new one is whole.

    Args:
        source: a module of `fergen.data.sources`: fer2013, affectnet, rafdb, folder, procedural, synthetic.
        path: what to read; None for sources that draw their images.
        name: the set's name; None takes the source's.
        root: folder of prepared sets; None takes $FERGEN_DATA or the user's cache.
        splits: "hash" cuts validation, a tenth by digest, out of train unless the source brings its own;
            "official" takes FER2013's PublicTest as validation and leaves train whole.
        skip_unreadable: leave out, and count, images that cannot be decoded, rather than stop at the first.
        align: name of a detector (`fergen.data.detect`) that finds a face in each photograph, which is then aligned and
            cut out; None takes images whole, or the boxes that the source has.
        boxes: instead of a detector, a table of the faces, see `fergen.data.face_table`.
        margin: of faces found or given, added on each side as a share of the side.
        quiet: show no progress.
        **options: the source's own (`fergen.data.sources`); None stands for not given.

    Returns:
        The prepared set.

    Raises:
        BadInput: the input is not what the source expects, an option is not among its own, or no face is found.
    """
    if splits not in ("hash", "official"):
        raise BadInput(f"--splits: expected hash or official, found {splits!r}")
    path = None if path is None else Path(path)
    reader = source_module(source)
    options = checked(source, reader, options)
    find_faces = None
    if align or boxes or margin is not None:
        # Imported here: OpenCV is for those who bring photographs.
        from fergen.data import photographs

        find_faces = photographs.finder(align, boxes, margin=margin, skip=skip_unreadable, quiet=quiet)
    target = folder_for(name or source, root)
    asked = {
        "source": source,
        "splits": splits,
        "skip_unreadable": skip_unreadable,
        **{key: Path(value).name if isinstance(value, Path) else value for key, value in options.items()},
        **({"align": align.partition(":")[0]} if align else {}),
        **({"margin": margin} if margin is not None else {}),
    }
    weights = [Path(align.partition(":")[2])] if align and ":" in align else []
    named = [value for value in options.values() if isinstance(value, Path)]
    files = fingerprints([path, *named, *weights, boxes], quiet=quiet)
    if (spec := intact(target)) and spec.source == files and spec.options == asked:
        return Prepared(target, spec, read_json(target / layout.AUDIT), fresh=False)
    if "quiet" in inspect.signature(reader.read).parameters:
        rows = reader.read(path, quiet=quiet, **options)
    else:
        rows = reader.read(path, **options)
    check(source, rows)
    found = find_faces(rows) if find_faces else None
    rows = found.rows if found else rows
    if splits == "official" and not (rows.split == "public").any():
        has = ", ".join(sorted(set(rows.split.tolist())))
        raise BadInput(f"--splits=official takes FER2013's PublicTest rows as validation; this source has only: {has}")
    try:
        with atomic_dir(target) as folder:
            spec, report = write(
                folder,
                rows,
                target.name,
                official=splits == "official",
                skip=skip_unreadable,
                quiet=quiet,
                source=files,
                options=asked,
            )
            if found:
                found.write(folder)
    except OSError as error:
        raise FergenError(f"{target}: cannot write the prepared set ({error.strerror or error})") from error
    return Prepared(target, spec, report, fresh=True)


def folder_for(name: str, root: str | Path | None) -> Path:
    """Return the folder that a set of this name is written to.

    Raises:
        BadInput: the name is no plain folder name, or something that is no prepared set lies there.
    """
    if not name or name.startswith(".") or Path(name).name != name:
        raise BadInput(f"--name: expected a plain name such as fer2013, found {name!r}")
    target = Path(root or data_root()) / name
    if target.exists() and not (target / layout.SPEC).is_file():
        raise BadInput(f"{target}: expected nothing or a prepared set there, found something else; choose another name")
    return target


def source_names() -> list[str]:
    """Return the sources there are: the modules of fergen.data.sources."""
    return sorted(module.name for module in pkgutil.iter_modules(sources.__path__))


def source_module(source: str):
    """Import a source by its name.

    Raises:
        BadInput: there is no such source.
    """
    if source not in source_names():
        raise BadInput(f"no source '{source}'; there are: {', '.join(source_names())}")
    return importlib.import_module(f"fergen.data.sources.{source}")


def checked(source: str, reader, options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that were given, once all are the source's own."""
    given = {key: value for key, value in options.items() if value is not None}
    parameters = inspect.signature(reader.read).parameters.values()
    own = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.name != "quiet"]
    for key in given:
        if key not in own:
            takes = ", ".join(f"--{name.replace('_', '-')}" for name in own) or "no options"
            raise BadInput(f"the source {source} has no option --{key.replace('_', '-')}; it takes {takes}")
    return given


def check(source: str, rows: Rows) -> None:
    """Refuse rows that break the convention of sources before anything is written."""
    n = len(rows.label)
    if n == 0:
        raise BadInput(f"{source}: expected images, found none")
    lengths = {"images": rows.images.shape[0], "split": len(rows.split), "id": len(rows.id)}
    lengths |= {key: len(value) for key, value in rows.extras.items()}
    for key, length in lengths.items():
        if length != n:
            raise BadInput(f"{source}: expected {n} {key}, one for each label, found {length}")
    if rows.label.min() < 0 or rows.label.max() >= len(rows.classes):
        raise BadInput(f"{source}: expected labels from 0 to {len(rows.classes) - 1}")
    if unknown := set(np.unique(rows.split).tolist()) - set(SPLITS):
        raise BadInput(f"{source}: expected splits among {', '.join(SPLITS)}, found {', '.join(sorted(unknown))}")
    if len(np.unique(rows.id)) != n:
        raise BadInput(f"{source}: expected unique row ids")


def intact(folder: Path) -> layout.DatasetSpec | None:
    """Return a prepared set's description if all its files are there, in this format and of the right size."""
    try:
        spec = layout.read_spec(folder)
        for split, n in spec.splits.items():
            np.load(layout.rows_file(folder, split)).close()
            if np.load(layout.images_file(folder, split), mmap_mode="r").shape != (n, *spec.image_shape):
                return None
        read_json(folder / layout.AUDIT)
    except (BadInput, OSError, ValueError, EOFError, BadZipFile):
        return None
    return spec
