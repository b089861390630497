"""FER+ votes beside FER2013: ten people voted on every row of the CSV.

Barsoum, Zhang, Canton Ferrer, Zhang, "Training Deep Networks for Facial Expression Recognition with Crowd-Sourced
Label Distribution", ICMI 2016: `majority` is its section 3.1 and `soft_labels` its probabilistic label drawing's
target (section 3.4), the normalised vote distribution, here restricted to a vocabulary.

The file has a row for each row of the CSV, in the CSV's order. Its image names are no key: names are missing for rows
that nobody saw as a face, and were given before rows were sorted.
"""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fergen.core.errors import BadInput
from fergen.data.archive import open_text
from fergen.data.vocabulary import canonical

VOTES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")
EMOTIONS = VOTES[:8]


def read_votes(path: str | Path) -> tuple[np.ndarray, list[str] | None]:
    """Read the vote columns of a FER+ file: the official one, or any CSV with the ten vote columns.

    Args:
        path: CSV (plain, .gz or .zip) with the columns `VOTES` in any order and case; others are ignored,
            save `Usage`.

    Returns:
        votes: uint8 [n, 10] in the order of `VOTES`.
        usage: the `Usage` column of each row, or None where the file has none.

    Raises:
        BadInput: a vote column is missing, or a vote is no whole number from 0 to 255.
    """
    with open_text(path) as file:
        reader = csv.reader(file)
        try:
            header = [name.strip().lower() for name in next(reader, [])]
            missing = [name for name in VOTES if name.lower() not in header]
            if missing:
                found = ", ".join(header)[:120] or "an empty file"
                raise BadInput(f"{path}: expected FER+ vote columns, {', '.join(missing)} missing; found: {found}")
            columns = [header.index(name.lower()) for name in VOTES]
            usage_column = header.index("usage") if "usage" in header else None
            votes: list[bytes] = []
            usage: list[str] = []
            for row in reader:
                if not row:
                    continue
                try:
                    votes.append(bytes(int(row[c]) for c in columns))
                    if usage_column is not None:
                        usage.append(row[usage_column].strip())
                except (ValueError, IndexError):
                    raise BadInput(
                        f"{path} row {len(votes)} (line {reader.line_num}): expected ten vote counts from 0 to 255, "
                        f"found: {','.join(row)[:80]!r}"
                    ) from None
        except (csv.Error, UnicodeDecodeError, EOFError, OSError) as error:
            raise BadInput(f"{path}: expected a FER+ CSV, found something unreadable ({error})") from None
    table = np.frombuffer(b"".join(votes), np.uint8).reshape(-1, len(VOTES))
    return table, usage if usage_column is not None else None


def align(path: str | Path, usage: Sequence[str], labels_path: str | Path) -> np.ndarray:
    """Read the votes for the rows of a FER2013 CSV, row by row.

    Args:
        path: the FER+ file.
        usage: the CSV's Usage of each row, lower case.
        labels_path: the CSV, for messages.

    Returns:
        uint8 [n, 10], one row of votes per CSV row.

    Raises:
        BadInput: the files have different numbers of rows, or a row's Usage differs, so they are not the same rows.
    """
    votes, their_usage = read_votes(path)
    if len(votes) != len(usage):
        raise BadInput(
            f"{path}: expected {len(usage)} rows of votes, one for each row of {labels_path}, found {len(votes)}; "
            "votes are aligned by row, so both files must list the same rows in the same order"
        )
    for row, (theirs, ours) in enumerate(zip(their_usage or [], usage)):
        if theirs.lower() != ours:
            raise BadInput(
                f"{path} row {row}: expected Usage {ours} as in {labels_path}, found {theirs}; "
                "the rows are not in the same order"
            )
    return votes


def majority(votes: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """Return the class that got the most votes.

    Args:
        votes: uint8 [n, 10] in the order of `VOTES`.
        classes: the vocabulary.

    Returns:
        int32 [n], an index into `classes`; -1 where the most votes went to `unknown`, `NF` or a class outside the
        vocabulary, where two classes tie for the most votes, and where nobody voted.
    """
    best = votes.max(axis=1)
    unique = (votes == best[:, None]).sum(axis=1) == 1
    to_class = np.array([_index(name, classes) for name in VOTES], np.int32)
    return np.where(unique & (best > 0), to_class[votes.argmax(axis=1)], -1).astype(np.int32)


def soft_labels(votes: np.ndarray, label: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """Return each row's vote distribution over a vocabulary.

    Args:
        votes: uint8 [n, 10] in the order of `VOTES`.
        label: int [n], used for rows whose votes all lie outside the vocabulary or whose most votes are
            `unknown` or `NF`.
        classes: the vocabulary, C names.

    Returns:
        float32 [n, C], rows sum to 1.
    """
    inside = np.zeros((len(votes), len(classes)), np.float32)
    for column, name in enumerate(EMOTIONS):
        if (index := _index(name, classes)) >= 0:
            inside[:, index] += votes[:, column]
    total = inside.sum(axis=1, keepdims=True)
    no_face = votes[:, 8:].max(axis=1) > votes[:, :8].max(axis=1)
    usable = (total[:, 0] > 0) & ~no_face
    soft = np.eye(len(classes), dtype=np.float32)[label]
    soft[usable] = inside[usable] / total[usable]
    return soft


def outcome(votes: np.ndarray, classes: Sequence[str]) -> list[str]:
    """Name what became of each row's vote, for counting.

    Returns:
        n of: "in the vocabulary", "unknown or no face", "outside the vocabulary", "tied", "without votes".
    """
    chosen = majority(votes, classes)
    best = votes.max(axis=1)
    tied = (votes == best[:, None]).sum(axis=1) > 1
    winner = votes.argmax(axis=1)
    no_emotion = winner >= len(EMOTIONS)
    names = np.where(no_emotion, "unknown or no face", "outside the vocabulary")
    names = np.where(tied, "tied", names)
    names = np.where(best == 0, "without votes", names)
    return np.where(chosen >= 0, "in the vocabulary", names).tolist()


def _index(name: str, classes: Sequence[str]) -> int:
    """Return the position of a FER+ column's emotion in `classes`, -1 if it is not among them."""
    if name not in EMOTIONS or canonical(name) not in classes:
        return -1
    return list(classes).index(canonical(name))
