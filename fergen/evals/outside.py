"""Somebody else's predictions: a CSV file of probabilities, a row per image of a split."""

import csv
import math
from pathlib import Path

import numpy as np

from fergen.core.errors import BadInput
from fergen.data.dataset import Split
from fergen.data.vocabulary import canonical, is_known


def read(path: str | Path, split: Split) -> np.ndarray:
    """Read probabilities of a split's images.

    Args:
        path: a CSV file with a column `id`, the images' numbers in the set as the split's rows have them (FER2013's are
            the lines of its CSV, from 0), and a column per class, synonyms among them; other columns are ignored. Rows
            in any order, others than the split's among them.
        split: what is to be scored; every row of it must be there.

    Returns:
        float64 [n, C], logarithms of the probabilities, in the order of the split's rows and classes.

    Raises:
        BadInput: no such file, a class or an image that is missing, or no probabilities.
    """
    classes = split.spec.classes
    try:
        with Path(path).open(newline="") as f:
            reader = csv.DictReader(f)
            known = {canonical(n) if is_known(n) else n: n for n in reader.fieldnames or ()}
            if missing := [name for name in ("id", *classes) if name not in known]:
                raise BadInput(f"{path}: expected columns id and {', '.join(classes)}, found no {missing[0]}")
            found = {}
            for row in reader:
                found[row["id"]] = [number(row[known[name]], path, reader.line_num) for name in classes]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path}: expected a CSV file of probabilities ({error})") from None
    if absent := [row for row in split.rows["id"] if str(row) not in found]:
        raise BadInput(
            f"{path}: expected all {len(split):,} images of {split.spec.name}'s {split.name}, found none with id"
            f" {absent[0]} and {len(absent):,} missing in all"
        )
    each = np.array([found[str(row)] for row in split.rows["id"]])
    return np.log(np.maximum(each, 1e-12))


def number(text: str | None, path: str | Path, line: int) -> float:
    """Read a probability.

    Raises:
        BadInput: it is none.
    """
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1 + 1e-6:
        raise BadInput(f"{path}, line {line}: expected a probability in [0, 1], found {text!r}")
    return value
