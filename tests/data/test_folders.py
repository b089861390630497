"""Class folders in every layout they are passed around in, and the folder source on top."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from fergen.core.errors import BadInput
from fergen.data import folders
from fergen.data.archive import open_files
from fergen.data.sources import folder as source


def png(value, size=8, channels=1):
    pixels = np.full((size, size) if channels == 1 else (size, size, channels), value, np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def lay(path, members, zipped=False):
    """Write files as a folder or a zip."""
    if zipped:
        path = path.with_suffix(".zip")
        with zipfile.ZipFile(path, "w") as z:
            for name, data in members.items():
                z.writestr(name, data)
        return path
    for name, data in members.items():
        target = path / name
        if name.endswith("/"):
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
    return path


def refused(action, *words):
    with pytest.raises(BadInput) as caught:
        action()
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message, message


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("parent", ["", "archive/", "a/b/"])
def test_split_level_and_parent_are_optional(tmp_path, zipped, parent):
    plain = {f"{parent}{c}/{i}.png": png(i) for c in ("happy", "sad") for i in (2, 10)}
    found = folders.find(open_files(lay(tmp_path / "p", plain, zipped)))
    assert [(f.split, f.folder, f.name.split("/")[-1]) for f in found] == [
        (None, "happy", "2.png"),
        (None, "happy", "10.png"),
        (None, "sad", "2.png"),
        (None, "sad", "10.png"),
    ]
    split = {f"{parent}{s}/{c}/1.JPG": b"" for s in ("Test_Set", "VAL", "Training", "PublicTest") for c in "ab"}
    found = folders.find(open_files(lay(tmp_path / "s", split, zipped)))
    assert [(f.split, f.folder) for f in found] == [
        (s, c) for s in ("train", "validation", "public", "test") for c in "ab"
    ]


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"a/1.png": b"", "b/note.txt": b""}, ("b: expected", "class folder", "none")),
        ({"a/1.png": b"", "b/": b""}, ("b: expected", "class folder")),
        ({"train/a/1.png": b"", "train/b/": b""}, ("train/b", "class folder")),
        ({"train/a/1.png": b"", "test/": b""}, ("test: expected", "split folder")),
        ({"1.png": b"", "a/1.png": b""}, ("1.png", "outside of any")),
        ({"train/1.png": b""}, ("train/1.png", "outside of any")),
        ({"a/1.png": b"", "train/a/1.png": b""}, ("one layout",)),
        ({"x/a/1.png": b"", "y/a/1.png": b""}, ("one layout",)),
        ({"a/1.txt": b"", "b/2.txt": b""}, ("no image",)),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_broken_layouts(tmp_path, members, words, zipped):
    path = lay(tmp_path / "p", members, zipped)
    refused(lambda: folders.find(open_files(path)), *words)


def test_folders_beside_the_classes_do_not_count_as_empty(tmp_path):
    members = {"train/happy/1.png": b"", "train/sad/1.png": b"", "docs/readme.txt": b"", "docs/deep/x.txt": b""}
    assert len(folders.find(open_files(lay(tmp_path, members)))) == 2


def test_folder_source_resolves_synonyms(tmp_path):
    names = ("Anger", "disgusted", "fearful", "Happiness", "sadness", "surprised", "Neutral")
    members = {
        f"{s}/{c}/{i}.png": png(10 * i + n) for s in ("train", "test") for n, c in enumerate(names) for i in (1, 2)
    }
    rows = source.read(lay(tmp_path / "p", members))
    assert rows.classes == ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    assert sorted(rows.label[rows.split == "test"]) == sorted([0, 1, 2, 3, 4, 5, 6] * 2)
    assert rows.images.shape == (28, 8, 8, 1)
    # Each image's gray value says which class folder it lay in.
    values = rows.images[0:28][:, 0, 0, 0] % 10
    np.testing.assert_array_equal(values, rows.label)
    np.testing.assert_array_equal(rows.id, np.arange(28))


def test_folder_source_keeps_own_names_and_partial_vocabularies(tmp_path):
    own = source.read(lay(tmp_path / "own", {f"{c}/1.png": png(1) for c in ("zebra", "happy", "bored")}))
    assert own.classes == ("bored", "happy", "zebra")
    three = source.read(lay(tmp_path / "three", {f"{c}/1.png": png(1) for c in ("joy", "happy", "contempt", "sad")}))
    assert three.classes == ("happy", "sad", "contempt")
    assert sorted(three.label) == [0, 0, 1, 2]
    one = lay(tmp_path / "one", {"happy/1.png": png(1)})
    refused(lambda: source.read(one), "at least two")
    refused(lambda: source.read(None), "--from")


def test_damaged_images_fail_when_read(tmp_path):
    members = {f"{c}/{i}.png": png(i) for c in ("happy", "sad") for i in range(3)}
    members["happy/0.png"] = b"noise"
    rows = source.read(lay(tmp_path, members))
    refused(lambda: rows.images[0:6], "happy/0.png", "expected an image")
    np.testing.assert_array_equal(rows.images[1:6][:, 0, 0, 0], [1, 2, 0, 1, 2])


def test_mixed_sizes_need_a_size(tmp_path):
    path = lay(tmp_path, {"happy/1.png": png(1), "sad/1.png": png(2, 9)})
    refused(lambda: source.read(path).images[0:2], "sad/1.png", "9x9")
    assert source.read(path, size=6, channels=3).images[0:2].shape == (2, 6, 6, 3)
