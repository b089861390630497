"""RAF-DB: web photographs with seven basic expressions, in the two forms that are passed around.

As released: EmoLabel/list_patition_label.txt (spelled so) and Image/aligned/train_00001_aligned.jpg. Re-packed: the
aligned faces in train|test/<1-7>/.

Reference: Li, Deng and Du, "Reliable crowdsourcing and deep locality-preserving learning for expression recognition
in the wild", CVPR 2017.
"""

from pathlib import Path, PurePosixPath

import numpy as np

from fergen.core.errors import BadInput
from fergen.data import folders
from fergen.data.archive import open_files, open_table
from fergen.data.files import Files
from fergen.data.sources import Rows
from fergen.data.vocabulary import VOCABULARIES

CLASSES = VOCABULARIES["seven"]
IDS = {1: "surprise", 2: "fear", 3: "disgust", 4: "happy", 5: "sad", 6: "angry", 7: "neutral"}
LISTS = ("list_patition_label.txt", "list_partition_label.txt")


def read(path: Path | None, *, size: int | None = None, channels: int = 3) -> Rows:
    """List RAF-DB's aligned faces of the basic expressions.

    Args:
        path: folder or zip with the list file and the aligned images somewhere in it, or with train|test/<1-7>/.
        size: side in pixels; None keeps the 100 pixels of the release.
        channels: 3, or 1 for gray.

    Raises:
        BadInput: neither form, a listed image that is missing, a label out of range.
    """
    if path is None:
        raise BadInput("expected RAF-DB's folder or zip; give it with --from")
    files = open_files(path)
    lists = [name for name in files.names if PurePosixPath(name).name.lower() in LISTS]
    if len(lists) > 1:
        raise BadInput(f"{path}: expected one {LISTS[0]}, found {', '.join(lists)}")
    if not lists:
        found = folders.find(files)
        labels = folders.numbered(found, IDS, CLASSES)
        return folders.rows(files, found, labels, CLASSES, size=size, channels=channels)
    names, label, split = listed(files, lists[0])
    kept = np.arange(len(names))
    return folders.gather(files, names, label, split, kept, CLASSES, {}, size=size, channels=channels)


def listed(files: Files, name: str) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Read the list file.

    Returns:
        names: of the aligned images in `files`.
        label: int32 [n], indices into `CLASSES`.
        split: str [n], train or test.

    Raises:
        BadInput: a line that is not `train_00001.jpg 5`, a name listed twice, an aligned image that is missing.
    """
    aligned = {PurePosixPath(file).name: file for file in files.names if PurePosixPath(file).stem.endswith("_aligned")}
    rows: dict[str, tuple[int, str]] = {}
    with open_table(files, name) as text:
        for number, line in enumerate(text, 1):
            where, cells = f"{files.where(name)}, line {number}", line.split()
            if not cells:
                continue
            split = cells[0].split("_")[0]
            if len(cells) != 2 or split not in ("train", "test"):
                raise BadInput(f"{where}: expected a line like 'train_00001.jpg 5', found {line.strip()[:80]!r}")
            if not (cells[1].isdecimal() and int(cells[1]) in IDS):
                raise BadInput(f"{where}: expected a label from 1 to {len(IDS)}, found {cells[1][:40]!r}")
            image = PurePosixPath(cells[0])
            face = f"{image.stem}_aligned{image.suffix}"
            if face not in aligned:
                raise BadInput(f"{where}: expected the aligned image {face!r} in {files.path}, found none")
            if aligned[face] in rows:
                raise BadInput(f"{where}: expected each image once, found {cells[0]!r} again")
            rows[aligned[face]] = CLASSES.index(IDS[int(cells[1])]), split
    if not rows:
        raise BadInput(f"{files.where(name)}: expected lines like 'train_00001.jpg 5', found none")
    labels, splits = zip(*rows.values(), strict=True)
    return list(rows), np.array(labels, np.int32), np.array(splits)
