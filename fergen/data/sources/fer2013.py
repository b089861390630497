"""FER2013, as the CSV of its challenge or as image folders.

Goodfellow et al., "Challenges in Representation Learning: A report on three machine learning contests", 2013:
48x48 gray faces, ids 0 angry, 1 disgust, 2 fear, 3 happy, 4 sad, 5 surprise, 6 neutral; Usage Training, PublicTest
(here the split `public`) and PrivateTest (`test`).
"""

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from fergen.core.clock import Progress
from fergen.core.errors import BadInput
from fergen.data import ferplus as ferplus_votes
from fergen.data import folders
from fergen.data.archive import Files, kind, open_files, open_text
from fergen.data.pixels import SIDE, parse_pixels
from fergen.data.sources import Rows
from fergen.data.vocabulary import VOCABULARIES, canonical, is_known

CLASSES = VOCABULARIES["seven"]
SPLIT_OF_USAGE = {"training": "train", "publictest": "public", "privatetest": "test"}
LABELS = {str(i): i for i in range(len(CLASSES))}
TABLES = ("fer2013.csv", "icml_face_data.csv")
CHUNK = 1024


def read(path: Path | None, *, ferplus: Path | None = None, quiet: bool = False) -> Rows:
    """Read FER2013 from a CSV or from image folders.

    Args:
        path: a CSV with the columns emotion, pixels and Usage in any order and case (extra columns allowed; plain,
            .gz or .zip); or a folder or zip with train/<class>/* and test/<class>/*, also under a parent folder.
        ferplus: FER+ votes with a row for each row of the CSV, in its order.
        quiet: show no progress.

    Returns:
        Rows with images uint8 [n, 48, 48, 1]; `id` is the row of the CSV counted from 0, or the position in the
        sorted list of files. With `ferplus`, the extras votes, ferplus and soft.

    Raises:
        BadInput: anything that is not as above, naming file and row.
    """
    if path is None:
        raise BadInput("fer2013 needs --from PATH: a CSV with emotion,pixels,Usage, or a folder with train/ and test/")
    if not path.exists():
        raise BadInput(f"{path}: no such file or folder; expected FER2013 as a CSV or as image folders")
    if not holds_images(path):
        return read_csv(path, ferplus, quiet=quiet)
    if ferplus is not None:
        raise BadInput(f"{ferplus}: FER+ votes are aligned with the rows of FER2013's CSV; {path} holds image files")
    return read_folders(path)


def holds_images(path: Path) -> bool:
    """Whether the path is a folder, or a zip without a CSV in it."""
    form = kind(path)
    if form != "zip":
        return form == "folder"
    with open_files(path) as files:
        return not any(name.lower().endswith(".csv") for name in files.names)


def table_in(path: Path) -> str | None:
    """Return which CSV of a zip is FER2013; the challenge's own archive holds others beside it."""
    if kind(path) != "zip":
        return None
    with open_files(path) as files:
        return next((name for name in files.names if PurePosixPath(name).name.lower() in TABLES), None)


def read_csv(path: Path, ferplus: Path | None = None, *, quiet: bool = False) -> Rows:
    """Read the CSV form; see `read`."""
    chunks: list[np.ndarray] = []
    label: list[int] = []
    usage: list[str] = []
    block = np.empty((CHUNK, SIDE, SIDE, 1), np.uint8)
    filled = 0
    with Progress(None, unit="rows", label=f"reading {path.name}:", quiet=quiet) as progress:
        for emotion, pixels, row_usage in csv_rows(path):
            block[filled] = pixels.reshape(SIDE, SIDE, 1)
            label.append(emotion)
            usage.append(row_usage)
            filled += 1
            progress.update(1)
            if filled == CHUNK:
                chunks.append(block.copy())
                filled = 0
        chunks.append(block[:filled].copy())
    if not label:
        raise BadInput(f"{path}: expected rows of emotion,pixels,Usage, found none below the header")
    rows = Rows(
        images=np.concatenate(chunks),
        label=np.array(label, np.int32),
        split=np.array([SPLIT_OF_USAGE[u] for u in usage]),
        id=np.arange(len(label), dtype=np.int64),
        classes=CLASSES,
    )
    if ferplus is not None:
        votes = ferplus_votes.align(ferplus, usage, path)
        rows.extras = {
            "votes": votes,
            "ferplus": ferplus_votes.majority(votes, CLASSES),
            "soft": ferplus_votes.soft_labels(votes, rows.label, CLASSES),
        }
        outcomes = Counter(ferplus_votes.outcome(votes, CLASSES))
        rows.notes.append("FER+ majority: " + ", ".join(f"{n:,} {what}" for what, n in outcomes.most_common()))
    return rows


def read_folders(path: Path) -> Rows:
    """Read the image-folder form: the classes by name or synonym, 48x48, in the order of the sorted files."""
    files = open_files(path)
    found = folders.find(files)
    labels = {file.folder: label_of(file, files) for file in found}
    rows = folders.rows(files, found, labels, CLASSES, channels=1)
    height, width = rows.images.shape[1:3]
    if (height, width) != (SIDE, SIDE):
        raise BadInput(
            f"{files.where(found[0].name)}: expected FER2013's 48x48 pixels, found {width}x{height}; for other faces "
            "use `fergen prepare folder --size`"
        )
    return rows


def label_of(file: folders.ClassFile, files: Files) -> int:
    """Return the label of a class folder, by name, synonym, or FER2013's own number."""
    if file.folder in LABELS:
        return LABELS[file.folder]
    if not is_known(file.folder) or canonical(file.folder) not in CLASSES:
        raise BadInput(
            f"{files.where(file.name)}: expected a class folder among {', '.join(CLASSES)} (or a synonym), "
            f"found '{file.folder}'"
        )
    return CLASSES.index(canonical(file.folder))


def csv_rows(path: Path) -> Iterator[tuple[int, np.ndarray, str]]:
    """Yield (emotion, uint8 [2304], usage in lower case) of each row of a FER2013 CSV, a row at a time."""
    with open_text(path, member=table_in(path)) as file:
        reader = csv.reader(file)
        row = -1
        try:
            columns = find_columns(path, next(reader, None))
            last = max(columns)
            for fields in reader:
                if not fields:
                    continue
                row += 1
                where = f"{path} row {row} (line {reader.line_num})"
                if len(fields) <= last:
                    raise BadInput(f"{where}: expected at least {last + 1} fields, found {len(fields)}")
                emotion, pixels, usage = (fields[c] for c in columns)
                label = LABELS.get(emotion.strip())
                if label is None:
                    raise BadInput(f"{where}: expected an emotion from 0 to 6, found {emotion[:20]!r}")
                if usage.strip().lower() not in SPLIT_OF_USAGE:
                    raise BadInput(f"{where}: expected Usage Training, PublicTest or PrivateTest, found {usage[:20]!r}")
                yield label, parse_pixels(pixels, where), usage.strip().lower()
        except (csv.Error, UnicodeDecodeError, EOFError, OSError) as error:
            after = f"after row {row}" if row >= 0 else "at its start"
            raise BadInput(
                f"{path}: expected a CSV with the columns emotion,pixels,Usage, found something unreadable {after} "
                f"({error})"
            ) from None


def find_columns(path: Path, header: list[str] | None) -> tuple[int, int, int]:
    """Return the positions of emotion, pixels and Usage in the header, in any order and case."""
    if header is None:
        raise BadInput(f"{path}: expected a CSV with the columns emotion,pixels,Usage, found an empty file")
    names = [name.strip().lower() for name in header]
    missing = [name for name in ("emotion", "pixels", "Usage") if name.lower() not in names]
    if missing:
        raise BadInput(
            f"{path}: expected the columns emotion,pixels,Usage; {', '.join(missing)} missing; "
            f"the header reads {','.join(header)[:80]!r}"
        )
    return names.index("emotion"), names.index("pixels"), names.index("usage")
