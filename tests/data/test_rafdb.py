"""RAF-DB in its released and its re-packed form, written small."""

import io

import numpy as np
import pytest
from PIL import Image

from fergen.core.errors import BadInput
from fergen.data.sources import rafdb

NAMES = ("surprise", "fear", "disgust", "happy", "sad", "angry", "neutral")  # RAF-DB's ids 1-7


def face(value, size=100):
    out = io.BytesIO()
    Image.fromarray(np.full((size, size, 3), value, np.uint8)).save(out, "PNG")
    return out.getvalue()


def released(change=None):
    """Seven training and seven test faces; a face's gray value is its id. PNG data, as JPEG would blur the values."""
    lines, members = [], {}
    for split in ("train", "test"):
        for i in range(1, 8):
            lines.append(f"{split}_{i:05d}.jpg {i}")
            members[f"basic/Image/aligned/{split}_{i:05d}_aligned.jpg"] = face(i)
    if change:
        lines = change(lines)
    return {"basic/EmoLabel/list_patition_label.txt": "\n".join(lines).encode() + b"\n", **members}


def lay(path, members):
    for name, data in members.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def refused(action, *words):
    with pytest.raises(BadInput) as caught:
        action()
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message, message


def assert_labels_follow_the_pixels(rows):
    values = rows.images[0 : len(rows)][:, 0, 0, 0]
    assert [rows.classes[label] for label in rows.label] == [NAMES[value - 1] for value in values]


def test_released_form(tmp_path):
    rows = rafdb.read(lay(tmp_path, released()))
    assert rows.classes == ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    assert rows.images.shape == (14, 100, 100, 3)
    assert rows.split.tolist() == ["train"] * 7 + ["test"] * 7
    assert_labels_follow_the_pixels(rows)
    np.testing.assert_array_equal(rows.id, np.arange(14))
    assert rafdb.read(tmp_path, size=32, channels=1).images[0:3].shape == (3, 32, 32, 1)


def test_repacked_form(tmp_path):
    members = {f"DATASET/{s}/{i}/{s}_{k}.jpg": face(i) for s in ("train", "test") for i in range(1, 8) for k in (1, 2)}
    rows = rafdb.read(lay(tmp_path / "a", members))
    assert rows.split.tolist() == ["train"] * 14 + ["test"] * 14
    assert_labels_follow_the_pixels(rows)
    refused(lambda: rafdb.read(lay(tmp_path / "b", {"train/0/1.jpg": face(1)})), "train/0/1.jpg", "found '0'")
    refused(lambda: rafdb.read(lay(tmp_path / "c", {"train/contempt/1.jpg": face(1)})), "found 'contempt'")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("train_00003.jpg 8", ("line 3", "1 to 7", "'8'")),
        ("train_00003.jpg 0", ("line 3", "1 to 7", "'0'")),
        ("train_00003.jpg happy", ("line 3", "1 to 7", "'happy'")),
        ("train_00003.jpg", ("line 3", "a line like")),
        ("valid_00003.jpg 3", ("line 3", "a line like")),
        ("train_00099.jpg 3", ("line 3", "train_00099_aligned.jpg", "found none")),
        ("train_00001.jpg 3", ("line 3", "once", "train_00001.jpg")),
    ],
)
def test_lines_that_are_wrong(tmp_path, line, words):
    path = lay(tmp_path, released(lambda lines: [*lines[:2], line, *lines[3:]]))
    refused(lambda: rafdb.read(path), "list_patition_label.txt", *words)


def test_lists_that_are_wrong(tmp_path):
    refused(lambda: rafdb.read(lay(tmp_path / "a", released(lambda lines: []))), "found none")
    second = released() | {"copy/list_patition_label.txt": b"x"}
    refused(lambda: rafdb.read(lay(tmp_path / "b", second)), "expected one list")
    refused(lambda: rafdb.read(lay(tmp_path / "c", {"notes.txt": b"x"})), "no image")
    refused(lambda: rafdb.read(None), "--from")


def test_truncated_face(tmp_path):
    members = released()
    name = "basic/Image/aligned/train_00002_aligned.jpg"
    members[name] = members[name][: len(members[name]) // 2]
    rows = rafdb.read(lay(tmp_path, members))
    refused(lambda: rows.images[0:4], name, "truncated")
