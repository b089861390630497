"""AffectNet in its released and its re-packed form, written small."""

import csv
import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from fergen.core.errors import BadInput
from fergen.data.sources import affectnet

HEADER = list(affectnet.COLUMNS)


def photograph(value, box, shape=(60, 80)):
    """A black photograph whose face is a square of one gray value."""
    pixels = np.zeros((*shape, 3), np.uint8)
    x, y, w, h = box
    pixels[y : y + h, x : x + w] = value
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def row(name, expression, box=(10, 5, 30, 30)):
    return [name, *box, "1.5;2.5;3.5", expression, "-0.5", "0.25"]


def table(rows, header=True):
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerows([HEADER, *rows] if header else rows)
    return out.getvalue().encode()


BOXES = [(10, 5, 30, 30), (0, 0, 20, 20), (45, 20, 40, 40)]  # the last one sticks out at the right and below


@pytest.fixture
def released():
    train = [row(f"{i % 3}/a{i}.png", i, BOXES[i % 3]) for i in range(11)]
    # Rows without a face have no box, and their photographs need not be there.
    train[10][1:5] = ["NULL"] * 4
    valid = [row(f"v/b{i}.png", i) for i in range(8)]
    images = {f"{i % 3}/a{i}.png": photograph(20 * i + 10, BOXES[i % 3]) for i in range(8)}
    images |= {f"v/b{i}.png": photograph(20 * i + 15, BOXES[0]) for i in range(8)}
    members = {f"Images/{name}": data for name, data in images.items()}
    return {"training.csv": table(train), "lists/validation.csv": table(valid, header=False), **members}


def lay(path, members, zipped=False):
    if zipped:
        with zipfile.ZipFile(path.with_suffix(".zip"), "w") as z:
            for name, data in members.items():
                z.writestr(name, data)
        return path.with_suffix(".zip")
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


@pytest.mark.parametrize("zipped", [False, True])
def test_released_form(tmp_path, released, zipped):
    rows = affectnet.read(lay(tmp_path / "a", released, zipped), size=16)
    assert rows.classes == ("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry", "contempt")
    np.testing.assert_array_equal(rows.label, [*range(8), *range(8)])
    assert rows.split.tolist() == ["train"] * 8 + ["test"] * 8
    np.testing.assert_array_equal(rows.id, [*range(8), *range(11, 19)])
    assert rows.dropped == {"label 8 (none)": 1, "label 9 (uncertain)": 1, "label 10 (no face)": 1}
    assert rows.images.shape == (16, 16, 16, 3)
    # Nothing but the face is left: the cut is exactly the box, also where that sticks out.
    pixels = rows.images[0:16]
    values = [20 * i + 10 for i in range(8)] + [20 * i + 15 for i in range(8)]
    np.testing.assert_array_equal(pixels, np.broadcast_to(np.array(values)[:, None, None, None], pixels.shape))


def test_default_is_128_colour(tmp_path, released):
    assert affectnet.read(lay(tmp_path, released)).images.shape[1:] == (128, 128, 3)
    assert affectnet.read(tmp_path, channels=1, size=32).images[0:1].shape == (1, 32, 32, 1)


def test_photographs_elsewhere(tmp_path, released):
    tables = {name: data for name, data in released.items() if name.endswith(".csv")}
    images = {name: data for name, data in released.items() if name.endswith(".png")}
    path, photographs = lay(tmp_path / "tables", tables), lay(tmp_path / "images", images, zipped=True)
    refused(lambda: affectnet.read(path), "training.csv, line 2", "0/a0.png", "--images")
    there = affectnet.read(path, images=photographs, size=8)
    both = affectnet.read(lay(tmp_path / "all", released), size=8)
    np.testing.assert_array_equal(there.images[0:16], both.images[0:16])


def test_repacked_form(tmp_path):
    members = {
        f"set/{s}/{i}/{k}.png": photograph(i, BOXES[0]) for s in ("train", "val") for i in range(11) for k in (1, 2)
    }
    rows = affectnet.read(lay(tmp_path / "a", members), size=8)
    assert sorted(rows.label.tolist()) == sorted(list(range(8)) * 4)
    assert set(rows.split) == {"train", "test"}
    assert rows.dropped == {f"class folder {i}": 4 for i in (8, 9, 10)}
    own = {f"{s}/{name}/1.png": photograph(1, BOXES[0]) for s in ("train", "val", "test") for name in ("anger", "7")}
    rows = affectnet.read(lay(tmp_path / "b", own), size=8)
    assert rows.split.tolist() == ["train"] * 2 + ["validation"] * 2 + ["test"] * 2
    np.testing.assert_array_equal(rows.label, [7, 6] * 3)
    refused(lambda: affectnet.read(lay(tmp_path / "c", {"train/11/1.png": b"x"})), "train/11/1.png", "found '11'")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda r: r.__setitem__(6, "11"), ("line 3", "from 0 to 10", "'11'")),
        (lambda r: r.__setitem__(6, "happy"), ("line 3", "from 0 to 10", "'happy'")),
        (lambda r: r.__setitem__(1, "left"), ("line 3", "face box", "left")),
        (lambda r: r.__setitem__(3, "0"), ("line 3", "at least 1x1", "0x30")),
        (lambda r: r.__setitem__(3, "nan"), ("line 3", "at least 1x1")),
        (lambda r: r.__setitem__(0, "0/none.png"), ("line 3", "0/none.png", "found none")),
        (lambda r: r.__setitem__(0, "../../etc/passwd"), ("line 3", "found none")),
        (lambda r: r.__delitem__(slice(4, None)), ("line 3", "columns", "found 4")),
    ],
)
def test_rows_that_are_wrong(tmp_path, released, change, words):
    rows = [row("0/a0.png", "0"), row("0/a0.png", "1")]
    change(rows[1])
    released["training.csv"] = table(rows)
    refused(lambda: affectnet.read(lay(tmp_path, released)), "training.csv", *words)


def test_box_off_the_photograph(tmp_path, released):
    released["training.csv"] = table([row("0/a0.png", "0", (100, 5, 20, 20))])
    rows = affectnet.read(lay(tmp_path, released))
    refused(lambda: rows.images[0:1], "0/a0.png", "80x60", "20x20")


def test_tables_that_are_wrong(tmp_path, released):
    def with_table(data, folder):
        return lay(tmp_path / folder, released | {"training.csv": data})

    without = table([]).replace(b"expression", b"emotion")
    refused(lambda: affectnet.read(with_table(without, "a")), "training.csv, line 1", "found no expression")
    refused(lambda: affectnet.read(with_table(b"", "b")), "training.csv", "found nothing")
    refused(lambda: affectnet.read(with_table(b"\xff\xfe\x00noise", "c")), "UTF-8")
    only = {"training.csv": table([row("0/a0.png", "8")]), "x/0/a0.png": photograph(1, BOXES[0])}
    refused(lambda: affectnet.read(lay(tmp_path / "d", only)), "no labelled image")
    twice = lay(tmp_path / "e", released | {"copy/training.csv": released["training.csv"]})
    refused(lambda: affectnet.read(twice), "one training.csv")
    refused(lambda: affectnet.read(None), "--from")
    refused(lambda: affectnet.read(tmp_path / "none"), "no such file")
