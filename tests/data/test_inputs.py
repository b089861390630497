"""Inputs of predict: order, names, sizes, and one clear line for each fault."""

import gzip
import zipfile

import numpy as np
import pytest
from PIL import Image

from fergen.core.errors import BadInput
from fergen.data.inputs import read

PIXELS = np.random.default_rng(0).integers(256, size=(3, 48, 48), dtype=np.uint8)


def csv_text(images=PIXELS, header="emotion,Pixels,Usage"):
    rows = [f"3,{' '.join(map(str, image.ravel()))},Training" for image in images]
    return "\n".join([header, *rows]) + "\n"


def save(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def sources(*paths):
    return [item.source for item in read(paths)]


def test_order_and_names(tmp_path):
    save(tmp_path / "one.png", PIXELS[0])
    for name in ("b/2.png", "b/1.png", "b/inner/0.PNG"):
        save(tmp_path / name, PIXELS[1])
    (tmp_path / "b" / "notes.txt").write_text("not an image")
    (tmp_path / "rows.csv").write_text(csv_text())
    found = sources(tmp_path / "rows.csv", tmp_path / "b", tmp_path / "one.png")
    assert found == [0, 1, 2, "1.png", "2.png", "inner/0.PNG", "one.png"]


def test_a_zip_of_images_is_decoded_after_it_was_listed(tmp_path):
    save(tmp_path / "faces" / "1.png", PIXELS[0])
    save(tmp_path / "faces" / "2.png", PIXELS[1])
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as archive:
        for name in ("1.png", "2.png"):
            archive.write(tmp_path / "faces" / name, name)
    for path in ("faces", "faces.zip"):
        items = list(read([tmp_path / path]))
        np.testing.assert_array_equal([item.decode(None, 1)[..., 0] for item in items], PIXELS[:2])


@pytest.mark.parametrize("form", ["plain", "gz", "zip"])
def test_table_gives_its_pixels(tmp_path, form):
    path = tmp_path / {"plain": "x.csv", "gz": "x.csv.gz", "zip": "x.zip"}[form]
    if form == "plain":
        path.write_text(csv_text())
    elif form == "gz":
        path.write_bytes(gzip.compress(csv_text().encode()))
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("faces.csv", csv_text())
    found = np.stack([item.decode(None, None) for item in read([path])])
    np.testing.assert_array_equal(found[..., 0], PIXELS)


def test_pixels_column_alone_suffices(tmp_path):
    (tmp_path / "x.csv").write_text("PIXELS\n" + " ".join(map(str, PIXELS[0].ravel())) + "\n")
    assert sources(tmp_path / "x.csv") == [0]


def test_inputs_take_the_networks_size_and_channels(tmp_path):
    save(tmp_path / "a.jpg", np.zeros((30, 60, 3), np.uint8))
    (tmp_path / "x.csv").write_text(csv_text())
    for item in read([tmp_path / "a.jpg", tmp_path / "x.csv"]):
        assert item.decode((32, 40), 3).shape == (32, 40, 3)
        assert item.decode((24, 24), 1).shape == (24, 24, 1)


def faulty(folder):
    row = " ".join(map(str, PIXELS[0].ravel()))
    (folder / "empty").mkdir()
    (folder / "empty.csv").write_text("")
    (folder / "header.csv").write_text("emotion,pixels\n")
    (folder / "columns.csv").write_text("emotion,usage\n3,Training\n")
    (folder / "short.csv").write_text(f"pixels\n{row}\n1 2 3\n")
    (folder / "range.csv").write_text("pixels\n" + row.replace(" ", " 256 ", 1).rsplit(" ", 1)[0] + "\n")
    (folder / "words.csv").write_text("pixels\nhello\n")
    (folder / "fields.csv").write_text(f"emotion,pixels\n3,{row}\n3\n")
    (folder / "noise.csv").write_bytes(bytes(range(128, 256)) * 8)
    (folder / "noise.png").write_bytes(bytes(range(256)) * 8)
    (folder / "model.bin").write_bytes(b"abc")
    save(folder / "whole.png", PIXELS[0])
    (folder / "cut.png").write_bytes((folder / "whole.png").read_bytes()[:900])


FAULTS = {
    "nowhere.png": "no such file",
    "empty": "found none",
    "empty.csv": "empty file",
    "header.csv": "found none",
    "columns.csv": "'pixels'",
    "short.csv": "row 1 .*2304",
    "range.csv": "row 0 .*256",
    "words.csv": "row 0 .*'hello'",
    "fields.csv": "row 1 .*2 fields",
    "noise.csv": "UTF-8",
    "noise.png": "noise.png: expected an image",
    "cut.png": "cut.png: truncated",
    "model.bin": "expected an image .*folder.*csv",
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_one_line_that_names_the_place(tmp_path, name):
    faulty(tmp_path)
    with pytest.raises(BadInput, match=FAULTS[name]) as error:
        [item.decode((48, 48), 1) for item in read([tmp_path / name])]
    assert "\n" not in str(error.value)
    assert name in str(error.value)


def test_a_missing_path_is_seen_before_any_is_read(tmp_path):
    save(tmp_path / "one.png", PIXELS[0])
    with pytest.raises(BadInput, match="no such file"):
        next(read([tmp_path / "one.png", tmp_path / "nowhere"]))
    with pytest.raises(BadInput, match="found none"):
        next(read([]))
