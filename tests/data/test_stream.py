"""Streamed batches: the bytes of a resident gather, whatever the hosts, resumed anywhere."""

import dataclasses
import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from fergen.core.errors import BadInput
from fergen.data import dataset, order, stream
from fergen.data.prepare import prepare

CLASSES = ("happy", "sad", "fear")
BATCH = 8


def lay(path, size, channels, per_class=(30, 9, 21)):
    draw = np.random.default_rng(0)
    for name, count in zip(CLASSES, per_class, strict=True):
        for split in ("train", "test"):
            (path / split / name).mkdir(parents=True)
            for i in range(count if split == "train" else count // 3):
                pixels = draw.integers(0, 255, (size, size, 3) if channels == 3 else (size, size), np.uint8)
                out = io.BytesIO()
                Image.fromarray(pixels).save(out, "PNG")
                (path / split / name / f"{i}.png").write_bytes(out.getvalue())
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("prepared")
    source = lay(tmp_path_factory.mktemp("source"), 12, 1)
    return prepare("folder", source, name="tiny", root=root, quiet=True).folder


@pytest.fixture(scope="module")
def split(folder):
    return dataset.load(folder, "train", images=False)


def take(iterator, n):
    return [next(iterator) for _ in range(n)]


def assert_same(found, expected):
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert set(a) == set(b)
        for name in a:
            np.testing.assert_array_equal(a[name], b[name])


def resident(split, rows):
    return {"image": np.asarray(split.images)[rows], **{k: v[rows] for k, v in split.rows.items()}}


@pytest.mark.parametrize("balanced", [False, True])
def test_streamed_batches_are_the_resident_ones(folder, split, balanced):
    whole = dataset.load(folder, "train")
    labels = whole.labels if balanced else None
    n = len(whole)
    found = take(iter(stream.batches(split, batch=BATCH, seed=3, balance=labels)), 20)
    rows = order.indices(3, n, BATCH, 0, k=20, balance=labels)
    assert_same(found, [resident(whole, r) for r in rows])
    assert found[0]["image"].dtype == np.uint8
    assert found[0]["image"].shape == (BATCH, 12, 12, 1)
    later = take(iter(stream.batches(split, batch=BATCH, seed=3, balance=labels, start=13)), 4)
    assert_same(later, found[13:17])


def test_vocabulary_that_drops_rows(folder):
    whole = dataset.load(folder, "train", vocabulary="five")
    assert 0 < len(whole) < whole.spec.splits["train"]
    found = take(
        iter(stream.batches(dataset.load(folder, "train", vocabulary="five", images=False), batch=4, seed=0)), 9
    )
    assert_same(found, [resident(whole, r) for r in order.indices(0, len(whole), 4, 0, k=9)])


def test_hosts_read_slices_of_the_same_batches(split):
    alone = take(iter(stream.batches(split, batch=BATCH, seed=1)), 5)
    parts = [take(iter(stream.batches(split, batch=BATCH, seed=1, host=h, hosts=2)), 5) for h in range(2)]
    joined = [{k: np.concatenate([a[k], b[k]]) for k in a} for a, b in zip(*parts, strict=True)]
    assert_same(joined, alone)
    with pytest.raises(BadInput, match="3 hosts divide"):
        stream.batches(split, batch=BATCH, seed=1, hosts=3)


def test_resume_in_the_middle_of_an_epoch_equals_never_stopping(split):
    iterator = iter(stream.batches(split, batch=BATCH, seed=5))
    take(iterator, 4)
    state = json.loads(json.dumps(iterator.get_state()))
    rest = take(iterator, 12)
    other = iter(stream.batches(split, batch=BATCH, seed=5))
    other.set_state(state)
    assert_same(take(other, 12), rest)
    # Reading ahead must not have moved the state, and going back must be possible.
    iterator.set_state(state)
    assert_same(take(iterator, 3), rest[:3])


def test_evaluation_pads_the_last_batch_under_a_mask(folder):
    whole = dataset.load(folder, "test")
    n = len(whole)
    assert n % BATCH
    found = list(stream.evaluation(dataset.load(folder, "test", images=False), batch=BATCH))
    joined = {k: np.concatenate([b[k] for b in found]) for k in found[0]}
    inside = joined.pop("mask") == 1
    assert len(inside) == len(found) * BATCH
    assert_same([{k: v[inside] for k, v in joined.items()}], [resident(whole, np.arange(n))])
    parts = [list(stream.evaluation(whole, batch=BATCH, host=h, hosts=2)) for h in range(2)]
    assert_same([{k: np.concatenate([a[k], b[k]]) for k in a} for a, b in zip(*parts, strict=True)], found)


def test_parse_agrees_with_the_protobuf_library(folder):
    from tensorflow_datasets.proto import tf_example_pb2 as proto

    draw = np.random.default_rng(0)
    for size, number in [(0, 0), (5, 1), (127, 127), (128, 300), (20000, 2**40)]:
        example = proto.Example()
        image = draw.bytes(size)
        example.features.feature["label"].int64_list.value.append(3)
        example.features.feature["image"].bytes_list.value.append(image)
        example.features.feature["id"].int64_list.value.append(number)
        example.features.feature["soft"].float_list.value.extend([0.5] * 40)
        found, n = stream.parse(example.SerializeToString())
        assert bytes(found) == image
        assert n == number


def test_parse_never_crashes_on_noise():
    draw = np.random.default_rng(0)
    first = b"\x0a\x0f\x0a\x05image\x12\x06\x0a\x04\x0a\x02\x07\x09"
    second = b"\x0a\x0c\x0a\x02id\x12\x06\x1a\x04\x0a\x02\x81\x01"
    record = b"\x0a\x1f" + first + second
    image, number = stream.parse(record)
    assert (bytes(image), number) == (b"\x07\x09", 129)
    for cut in range(len(record)):
        stream.parse(record[:cut])
    for _ in range(2000):
        damaged = bytearray(record)
        damaged[draw.integers(len(record))] = draw.integers(256)
        stream.parse(bytes(damaged))
        stream.parse(draw.bytes(draw.integers(60)))


def refused(action, *words):
    with pytest.raises(BadInput) as caught:
        action()
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message, message


def test_missing_damaged_and_foreign_shards(folder, split, tmp_path):
    copy = tmp_path / "tiny"
    shutil.copytree(folder, copy)
    shard = next((copy / "tfds").glob("**/*-train.array_record-*"))
    moved = dataclasses.replace(split, folder=copy)

    foreign = dataclasses.replace(moved, rows={**split.rows, "id": split.rows["id"] + 1000})
    refused(lambda: next(iter(stream.batches(foreign, batch=BATCH, seed=0))), "of row", "prepare")

    whole = shard.read_bytes()
    shard.write_bytes(whole[: len(whole) // 3])
    refused(lambda: next(iter(stream.batches(moved, batch=BATCH, seed=0))), str(copy), "prepare")
    shard.unlink()
    refused(lambda: stream.batches(moved, batch=BATCH, seed=0), "found none", "prepare")
    refused(lambda: stream.batches(dataclasses.replace(split, folder=None), batch=BATCH, seed=0), "in memory")
