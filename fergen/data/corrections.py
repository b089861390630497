"""Labels that replace a set's own: a CSV file of row numbers and classes, such as a study of label quality writes."""

import csv
import dataclasses
import hashlib
from pathlib import Path

import numpy as np

from fergen.core.errors import BadInput
from fergen.core.paths import atomic_write
from fergen.data import labels
from fergen.data.dataset import Split

COLUMNS = ("id", "label")


def write(folder: Path, name: str, ids: np.ndarray, names: list[str]) -> Path:
    """Write corrections into a file that is named by what it holds: other corrections are other files.

    Args:
        folder: of the file.
        name: begins the file's own.
        ids: int [n], the rows' stable numbers.
        names: n classes; '' leaves a row out.
    """
    lines = [",".join(COLUMNS), *(f"{row},{name}" for row, name in zip(ids, names))]
    text = "\n".join(lines) + "\n"
    return atomic_write(folder / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}.csv", text)


def apply(split: Split, path: str | Path) -> Split:
    """Give the rows that a file names the labels that stand there; all others keep theirs.

    Args:
        split: its rows have an `id`.
        path: a CSV file with the columns id and label; an empty label leaves the row out.

    Returns:
        The split without soft labels, which were of the labels replaced.

    Raises:
        BadInput: no such file, another form, a class or a row that the split lacks.
    """
    classes = split.spec.classes
    numbers = {"": -1} | {name: i for i, name in enumerate(classes)}
    row_of = {int(row): i for i, row in enumerate(split.rows["id"])}
    label = np.array(split.labels)
    try:
        with Path(path).open(newline="") as f:
            reader = csv.DictReader(f)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise BadInput(f"{path}: expected the columns {', '.join(COLUMNS)}, found {reader.fieldnames}")
            for line, row in enumerate(reader, 2):
                where = f"{path}, line {line}"
                if row["label"] not in numbers:
                    raise BadInput(f"{where}: expected one of {', '.join(classes)} or nothing, found {row['label']!r}")
                if not row["id"].isdecimal() or int(row["id"]) not in row_of:
                    raise BadInput(
                        f"{where}: expected the id of a training row of {split.spec.name}, found {row['id']!r}"
                    )
                label[row_of[int(row["id"])]] = numbers[row["label"]]
    except OSError as error:
        raise BadInput(f"{path}: expected a CSV file of labels ({error.strerror})") from None
    rows = {name: values for name, values in split.rows.items() if name != "soft"} | {"label": label.astype(np.int32)}
    return labels.rows_of(dataclasses.replace(split, rows=rows), np.flatnonzero(label >= 0))
