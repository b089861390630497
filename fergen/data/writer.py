"""Writing a source's rows as a prepared set: one pass over the images, a few hundred in memory at a time."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from fergen.core.clock import Progress
from fergen.core.errors import BadInput
from fergen.core.paths import write_json
from fergen.data import audit, layout
from fergen.data.fingerprint import content_hash
from fergen.data.sources import SPLITS, Rows
from fergen.data.splits import destination, digest, twins
from fergen.data.vocabulary import name_of

CHUNK = 512
"""Images in memory at a time."""


def write(
    folder: Path, rows: Rows, name: str, *, official: bool, skip: bool, quiet: bool, source: dict, options: dict
) -> tuple[layout.DatasetSpec, dict]:
    """Write a source's rows as a prepared set into an empty folder; return its description and audit."""
    carve = not official and not (rows.split == "validation").any()
    height, width, channels = rows.images.shape[1:]
    shape = (height, width, channels)
    statistics = audit.PixelStatistics(shape[-1])
    writers: dict[str, ImageWriter] = {}
    kept, digests, stored, constant, unreadable = [], [], [], [], []
    with contextlib.ExitStack() as stack:
        progress = stack.enter_context(Progress(len(rows), label=f"reading {name}:", quiet=quiet))
        for indices, images in batches(rows, skip, unreadable, progress):
            found = [digest(image) for image in images]
            to = [destination(rows.split[i], d, carve=carve, official=official) for i, d in zip(indices, found)]
            for split in set(to):
                part = images[[t == split for t in to]]
                if split not in writers:
                    writers[split] = ImageWriter(layout.images_file(folder, split), shape)
                    stack.callback(writers[split].file.close)
                writers[split].append(part)
                if split == "train":
                    statistics.add(part)
            flat = images.reshape(len(images), -1)
            constant.append(flat.min(axis=1) == flat.max(axis=1))
            kept += indices
            digests += found
            stored += to
        for writer in writers.values():
            writer.finish()
    if not kept:
        raise BadInput(f"{name}: expected images, found none that can be read")
    keep, stored = np.array(kept), np.array(stored)
    digests = np.array(digests, "V16")
    arrays = {
        "label": rows.label[keep].astype(np.int32),
        "id": rows.id[keep].astype(np.int64),
        "twin": twins(digests, rows.split[keep]),
        **{key: value[keep] for key, value in rows.extras.items()},
    }
    names = [split for split in SPLITS if split in writers]
    by_split = {split: {key: value[stored == split] for key, value in arrays.items()} for split in names}
    for split in names:
        np.savez(layout.rows_file(folder, split), **by_split[split])
    images = {split: np.load(layout.images_file(folder, split), mmap_mode="r") for split in names}

    # Imported here: TFDS takes a second, and a set that is there already needs none of it.
    from fergen.data import builder

    builder.write(folder, images, by_split, rows.classes, quiet=quiet)
    mean, std = statistics.mean_std()
    spec = layout.DatasetSpec(
        name=name,
        classes=tuple(rows.classes),
        image_shape=shape,
        splits={split: len(images[split]) for split in names},
        mean=mean,
        std=std,
        hash=content_hash(images, by_split),
        vocabulary=name_of(rows.classes),
        lineage=rows.lineage,
        source=source,
        options=options,
    )
    report = {
        "name": name,
        "image_shape": shape,
        "mean": mean,
        "std": std,
        "read": len(rows) + sum(rows.dropped.values()),
        **audit.findings(
            digests=digests,
            label=arrays["label"],
            split=stored,
            ids=arrays["id"],
            constant=np.concatenate(constant),
            classes=rows.classes,
            ferplus=arrays.get("ferplus"),
        ),
        "unreadable": {"images": len(unreadable), "first": unreadable[: audit.LISTED]},
        "dropped": dict(rows.dropped),
        "notes": list(rows.notes),
    }
    layout.write_spec(folder, spec)
    write_json(folder / layout.AUDIT, report)
    return spec, report


def batches(
    rows: Rows, skip: bool, unreadable: list[str], progress: Progress
) -> Iterator[tuple[list[int], np.ndarray]]:
    """Yield (row indices, uint8 [m, h, w, c]) in order; with `skip`, note unreadable images and go on without them."""
    for start in range(0, len(rows), CHUNK):
        indices = list(range(start, min(start + CHUNK, len(rows))))
        try:
            images = rows.images[start : start + CHUNK]
        except BadInput:
            if not skip:
                raise
            readable = []
            for i in indices:
                try:
                    readable.append((i, rows.images[i : i + 1]))
                except BadInput as error:
                    unreadable.append(str(error))
            if readable:
                indices = [i for i, _ in readable]
                images = np.concatenate([image for _, image in readable])
            else:
                continue
        yield indices, np.ascontiguousarray(images)
        progress.update(len(images))


class ImageWriter:
    """A .npy file that grows by batches, its row count filled in at the end."""

    def __init__(self, path: Path, shape: tuple[int, ...]):
        self.shape, self.rows = shape, 0
        self.file: BinaryIO = path.open("wb")
        self._header()

    def _header(self) -> None:
        # numpy pads the header so that the first axis may grow to 21 digits in place.
        described = {"descr": "|u1", "fortran_order": False, "shape": (self.rows, *self.shape)}
        np.lib.format.write_array_header_1_0(self.file, described)

    def append(self, images: np.ndarray) -> None:
        """Add images, uint8 [m, h, w, c]."""
        self.file.write(np.ascontiguousarray(images).data)
        self.rows += len(images)

    def finish(self) -> None:
        """Fill in the number of rows."""
        self.file.seek(0)
        self._header()
