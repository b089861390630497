"""Prepared rows as a TFDS dataset in ArrayRecord files, written and read without TensorFlow.

Record i of a split is row i of its `.npy`: nothing is shuffled on the way, so streamed and resident input see the same
rows under the same numbers.
"""

import contextlib
import io
import itertools
import math
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from etils import epath
from tensorflow_datasets.core import example_serializer

from fergen.core.clock import Progress
from fergen.core.errors import FergenError

FOLDER = "tfds"
SHARD_BYTES = 256 << 20


class Faces(tfds.core.GeneratorBasedBuilder):
    """Faces with their labels; the arrays come from `write`, the splits and classes differ from set to set."""

    VERSION = tfds.core.Version("1.0.0")
    # Stated, because TFDS's search for it imports importlib_resources, which nothing installs on Python >= 3.9.
    code_path = epath.Path(__file__)
    pkg_dir_path = epath.Path(__file__).parent
    RELEASE_NOTES = {"1.0.0": "image, label, id and the set's further arrays, in the order of the .npy files"}

    def __init__(
        self,
        *,
        images: Mapping[str, np.ndarray],
        rows: Mapping[str, Mapping[str, np.ndarray]],
        classes: tuple[str, ...],
        progress: Progress,
        **options,
    ):
        self.images, self.rows, self.classes, self.progress = images, rows, classes, progress
        super().__init__(file_format=tfds.core.FileFormat.ARRAY_RECORD, **options)

    def _info(self) -> tfds.core.DatasetInfo:
        first = next(iter(self.images))
        # Raw bytes: an integer list would be parsed ten times slower, and a PNG decoded one by one.
        features: dict[str, tfds.features.FeatureConnector] = {
            "image": tfds.features.Tensor(
                shape=self.images[first].shape[1:], dtype=np.uint8, encoding=tfds.features.Encoding.BYTES
            ),
            "label": tfds.features.ClassLabel(names=list(self.classes)),
        }
        for name, array in self.rows[first].items():
            if name != "label":
                features[name] = tfds.features.Tensor(shape=array.shape[1:], dtype=array.dtype)
        return tfds.core.DatasetInfo(
            builder=self,
            description="Faces with expression labels, as prepared on this machine.",
            features=tfds.features.FeaturesDict(features),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager) -> dict[str, Iterator]:
        return {split: self._generate_examples(split) for split in self.images}

    def _generate_examples(self, split: str) -> Iterator[tuple[int, dict]]:
        images, rows = self.images[split], self.rows[split]
        for i in range(len(images)):
            self.progress.update(1)
            yield i, {"image": np.asarray(images[i]), **{name: array[i] for name, array in rows.items()}}

    def _generate_splits(self, dl_manager, download_config) -> list[tfds.core.SplitInfo]:
        # TFDS's own writer keeps a split in memory, even unshuffled, and beyond 1 GB asks for TensorFlow. Here the
        # order and the number of rows are known, so that each shard can be written as its rows come.
        features = self.info.features
        serializer = example_serializer.ExampleSerializer(features.get_serialized_info())
        written = []
        for split, examples in self._split_generators(dl_manager).items():
            template = self._get_filename_template(split_name=split)
            lengths = shard_lengths(len(self.images[split]), math.prod(self.images[split].shape[1:]))
            size = 0

            def records(n: int, examples: Iterator = examples) -> Iterator[tuple[int, bytes]]:
                nonlocal size
                for key, example in itertools.islice(examples, n):
                    record = serializer.serialize_example(features.encode_example(example))
                    size += len(record)
                    yield key, record

            for shard, n in enumerate(lengths):
                path = template.sharded_filepath(shard_index=shard, num_shards=len(lengths))
                self._example_writer().write(path, records(n))
            written.append(
                tfds.core.SplitInfo(name=split, shard_lengths=lengths, num_bytes=size, filename_template=template)
            )
        return written


def shard_lengths(n: int, image_bytes: int) -> list[int]:
    """Return how many of n rows each shard holds: even parts of at most about `SHARD_BYTES`."""
    shards = max(1, math.ceil(n * image_bytes / SHARD_BYTES))
    ends = [n * (i + 1) // shards for i in range(shards)]
    return [end - start for start, end in zip([0, *ends], ends)]


def write(
    folder: Path,
    images: Mapping[str, np.ndarray],
    rows: Mapping[str, Mapping[str, np.ndarray]],
    classes: tuple[str, ...],
    *,
    quiet: bool = False,
) -> None:
    """Write splits as ArrayRecord shards to `folder/tfds`.

    Args:
        folder: a prepared set's folder.
        images: split -> uint8 [n, h, w, c], memory-mapped or not.
        rows: split -> name -> array [n, ...]; among them `label`.
        classes: class names in label order.
        quiet: show no progress.

    Raises:
        FergenError: the files cannot be written.
    """
    tfds.disable_progress_bar()
    total = sum(map(len, images.values()))
    with Progress(total, label="writing ArrayRecord:", quiet=quiet) as progress:
        builder = Faces(images=images, rows=rows, classes=classes, progress=progress, data_dir=str(folder / FOLDER))
        # TFDS announces on standard output, which belongs to the command's result.
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                builder.download_and_prepare()
        except RuntimeError as error:
            # How TFDS and ArrayRecord say that the disk is full; further parts name only temporary files.
            raise FergenError(
                f"{folder.parent}: cannot write ArrayRecord files ({str(error).split(';')[0]})"
            ) from error
    # TFDS makes room for downloads even where there are none.
    shutil.rmtree(folder / FOLDER / "downloads", ignore_errors=True)
