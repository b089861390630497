"""Streamed input: batches read from the ArrayRecord shards of a prepared set by grain.

An element of the grain data set is a whole batch: its records are fetched by one call and parsed by one pass, which
is an order of magnitude faster than grain's element-by-element pipelines. The order is `fergen.data.order`'s, so
that streamed and resident training see the same batches, and each host reads only its own part of them.
"""

from collections.abc import Callable, Sequence

import grain
import numpy as np

from fergen.core.errors import BadInput
from fergen.data import order
from fergen.data.dataset import Split

ENDLESS = 1 << 40  # steps


class Records:
    """The shards of one prepared split: record i holds the image of stored row i.

    Args:
        split: the split; its images may have stayed on disk.

    Raises:
        BadInput: the shards are missing, damaged, or of another preparation than the rows.
    """

    def __init__(self, split: Split):
        if split.folder is None:
            raise BadInput(f"the split '{split.name}' lies in memory only and has no shards to stream")
        self.folder = split.folder / "tfds"
        paths = sorted(map(str, self.folder.glob(f"**/*-{split.name}.array_record-*")))
        if not paths:
            raise BadInput(
                f"{self.folder}: expected ArrayRecord shards of '{split.name}', found none; prepare it again"
            )
        self.source = self._read(lambda: grain.sources.ArrayRecordDataSource(paths))
        self.index = np.arange(len(split)) if split.index is None else split.index
        self.id, self.shape = split.rows["id"], split.spec.image_shape
        expected = split.spec.splits[split.name]
        if len(self.source) != expected:
            raise BadInput(
                f"{self.folder}: expected {expected:,} records of '{split.name}', found {len(self.source):,}; "
                "prepare it again"
            )

    def _read(self, action: Callable):
        # The reader has no error type of its own: damage arrives as ValueError, RuntimeError, IndexError, ...
        try:
            return action()
        except Exception as error:
            raise BadInput(f"{self.folder}: the shards cannot be read ({error}); prepare the set again") from None

    def images(self, rows: np.ndarray) -> np.ndarray:
        """Read and decode the images of rows of the split.

        Args:
            rows: int [b], places in the split (after a vocabulary map).

        Returns:
            uint8 [b, h, w, c], read-only.

        Raises:
            BadInput: a record is damaged, or belongs to another row.
        """
        records = self._read(lambda: self.source.__getitems__(self.index[rows].tolist()))
        size = int(np.prod(self.shape))
        pixels = []
        for row, record in zip(rows.tolist(), records, strict=True):
            image, number = parse(record)
            if image is None or len(image) != size or number != self.id[row]:
                found = "no image" if image is None else f"{len(image)} bytes of row {number}"
                raise BadInput(
                    f"{self.folder}: expected record {self.index[row]} to hold {size} bytes of row {self.id[row]}, "
                    f"found {found}; prepare the set again"
                )
            pixels.append(image)
        return np.frombuffer(b"".join(pixels), np.uint8).reshape(len(rows), *self.shape)


def varint(data: Sequence[int], at: int) -> tuple[int, int]:
    """Read a base-128 integer of the protocol buffer wire format; return it and the position behind it."""
    value = data[at]
    if value < 0x80:
        return value, at + 1
    value, shift, at = value & 0x7F, 7, at + 1
    while data[at] >= 0x80:
        value |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
    return value | data[at] << shift, at + 1


def parse(record: bytes) -> tuple[memoryview | None, int | None]:
    """Take the image bytes and the id out of a serialised tf.train.Example.

    Example { Features = 1 { map<string, Feature> = 1 } }, where a map entry is { key = 1, value = 2 }, and a Feature
    is { BytesList = 1 { repeated bytes = 1 } } or { Int64List = 3 { repeated int64 = 1, packed } }. Only the fields
    asked for are looked into, without a protobuf library: at 48x48 parsing would else cost more than reading.

    Returns:
        The image's bytes and the id; None for one that is absent or not of that form.
    """
    image = number = None
    view = memoryview(record)
    try:
        _, at = varint(record, 1)
        while at < len(record) and record[at] == 0x0A:
            length, at = varint(record, at + 1)
            end = at + length
            if end > len(record):
                return None, None
            key = record[at + 2 : at + 2 + record[at + 1]]
            if key in (b"image", b"id"):
                # Behind the key: 0x12 and Feature, whose one field is the list, whose one field is the value.
                at += 2 + len(key)
                _, at = varint(record, at + 1)
                kind = record[at]
                _, at = varint(record, at + 1)
                if key == b"image" and kind == 0x0A and record[at] == 0x0A:
                    size, at = varint(record, at + 1)
                    image = view[at : at + size] if at + size == end else None
                elif key == b"id" and kind == 0x1A and record[at] == 0x0A:
                    _, at = varint(record, at + 1)
                    number, _ = varint(record, at)
            at = end
    except IndexError:
        return None, None
    return image, number


class Batches:
    """A grain source whose element s is the batch of step s.

    Args:
        records: where the images are.
        rows: name -> array [n, ...], the rest of the split.
        select: step -> row numbers of the global batch, and columns to add to the batch (a mask).
        length: number of steps.
        host, hosts: this host reads the host-th of `hosts` parts of each batch.
    """

    def __init__(
        self, records: Records, rows: dict[str, np.ndarray], select: Callable, length: int, host: int, hosts: int
    ):
        self.records, self.rows, self.select, self.length = records, rows, select, length
        self.host, self.hosts = host, hosts

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        rows, columns = self.select(int(index))
        rows = order.host_slice(rows, self.host, self.hosts)
        columns = {name: order.host_slice(column, self.host, self.hosts) for name, column in columns.items()}
        return {
            "image": self.records.images(rows),
            **{name: array[rows] for name, array in self.rows.items()},
            **columns,
        }


def iterable(source: Batches, threads: int, ahead: int) -> grain.IterDataset:
    """Read a source's batches in order, `ahead` of their use."""
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=max(ahead, threads))
    return grain.MapDataset.source(source).to_iter_dataset(options)


def batches(
    split: Split,
    *,
    batch: int,
    seed: int,
    start: int = 0,
    balance: np.ndarray | None = None,
    host: int = 0,
    hosts: int = 1,
    threads: int = 2,
    ahead: int = 4,
) -> grain.IterDataset:
    """Stream training batches without end, in the order of `order.indices`.

    The iterator's state (`get_state`, `set_state`, or grain's checkpoint handlers) is its position counted from
    `start`; opening at another `start` reaches the same batches.

    Args:
        split: what to read; its images may have stayed on disk.
        batch: rows of the global batch, over all hosts.
        seed: of the order.
        start: the first step.
        balance: int [n] labels, to draw all classes equally often.
        host: this process.
        hosts: number of processes.
        threads: that read batches.
        ahead: batches to read before they are asked for.

    Returns:
        Batches: `image` uint8 [batch / hosts, h, w, c], and every array of `split.rows` likewise.

    Raises:
        BadInput: missing or damaged shards, or a batch that the hosts do not divide.
    """
    n = len(split)

    def select(step: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        return order.indices(seed, n, batch, start + step, balance=balance)[0], {}

    order.host_slice(select(0)[0], host, hosts)  # complain here rather than in a reading thread
    return iterable(Batches(Records(split), split.rows, select, ENDLESS, host, hosts), threads, ahead)


def evaluation(
    split: Split, *, batch: int, host: int = 0, hosts: int = 1, threads: int = 2, ahead: int = 4
) -> grain.IterDataset:
    """Stream every row once, in order; the last batch is padded with row 0 under a `mask` of 0.

    Args:
        split, batch, host, hosts, threads, ahead: as in `batches`.

    Returns:
        Batches as in `batches`, with `mask` float32 [batch / hosts].

    Raises:
        BadInput: as in `batches`.
    """
    n = len(split)

    def select(step: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        rows, mask = order.sequential(n, batch, step)
        return rows, {"mask": mask}

    order.host_slice(select(0)[0], host, hosts)
    source = Batches(Records(split), split.rows, select, order.batches(n, batch), host, hosts)
    return iterable(source, threads, ahead)
