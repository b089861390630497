"""Synthetic faces become a set like any other, and their lineage goes with them."""

import json

import numpy as np
import pytest
from PIL import Image

from fergen.core.errors import BadInput
from fergen.core.paths import write_json
from fergen.data import dataset
from fergen.data.prepare import prepare
from fergen.data.sources import synthetic
from fergen.data.splits import digest, is_validation

CLASSES = ["angry", "happy", "sad"]
LINEAGE = {"weights": {"a" * 64: "gan", "f" * 64: "filter"}, "data": {"d" * 64: "faces"}}
LENGTHS = (40, 0, 25)


def write_folder(folder, form="npy", *, done=True, filtered=True):
    """A folder as `fergen sample` leaves it, of three blocks, from the second of which nothing was kept."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (65, 6, 5, 3), np.uint8)
    labels = [CLASSES[i] for i in rng.integers(0, 3, 65)]
    rows = [{"row": 7 * i, "label": label} for i, label in enumerate(labels)]
    if filtered:
        # The filter's classes stand in another order.
        rows = [{**row, "filter": [0.5, round(i / 100, 2), 0.25]} for i, row in enumerate(rows)]
    folder.mkdir()
    start = 0
    for block, n in enumerate(LENGTHS):
        part = slice(start, start + n)
        start += n
        if form == "npy" and n:
            np.save(synthetic.images_file(folder, block), images[part])
        synthetic.rows_file(folder, block).write_text("".join(json.dumps(row) + "\n" for row in rows[part]))
    if form == "png":
        for row, image in zip(rows, images):
            path = folder / synthetic.png_name(row["label"], row["row"])
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(image).save(path)
    columns = {"angry": 2, "happy": 1, "sad": 0}
    about = {
        "format": 1,
        "form": form,
        "classes": CLASSES,
        "image": {"height": 6, "width": 5, "channels": 3},
        "generator": "a" * 64,
        "filter": {"hash": "f" * 64, "columns": columns, "confidence": 0.0} if filtered else None,
        "names": {"generator": "gan", "filter": "cnn"},
        "lineage": LINEAGE,
        "done": {"blocks": 3, "drawn": {"angry": 500, "happy": 500, "sad": 0}, "kept": {"happy": 65}} if done else None,
    }
    write_json(folder / synthetic.ABOUT, about)
    return images, labels, rows


@pytest.mark.parametrize("form", ["npy", "png"])
def test_round_trip(form, tmp_path):
    images, labels, rows = write_folder(tmp_path / "made", form)
    done = prepare("synthetic", tmp_path / "made", name="mine", root=tmp_path / "root", quiet=True)
    assert done.spec.lineage == LINEAGE
    assert done.spec.classes == tuple(CLASSES)
    assert "gan, aaaaaaaaaaaa" in done.audit["notes"][0]
    assert "65 of 1,000 kept" in done.audit["notes"][1]
    held = np.array([is_validation(digest(image)) for image in images])
    assert 0 < held.sum() < 20
    for name, mask in (("train", ~held), ("validation", held)):
        split = dataset.load("mine", name, root=tmp_path / "root")
        np.testing.assert_array_equal(split.images, images[mask])
        assert [CLASSES[c] for c in split.labels] == [labels[i] for i in np.flatnonzero(mask)]
        np.testing.assert_array_equal(split.rows["id"], 7 * np.flatnonzero(mask))
        own = [rows[i]["filter"][{"angry": 2, "happy": 1, "sad": 0}[labels[i]]] for i in np.flatnonzero(mask)]
        np.testing.assert_allclose(split.rows["confidence"], own, atol=1e-7)
    assert not prepare("synthetic", tmp_path / "made", name="mine", root=tmp_path / "root", quiet=True).fresh


def test_slices_cross_blocks(tmp_path):
    images, *_ = write_folder(tmp_path / "made", filtered=False)
    rows = synthetic.read(tmp_path / "made")
    assert rows.extras == {}
    assert len(rows.notes) == 1
    assert rows.images.shape == images.shape
    for part in (slice(0, 65), slice(30, 50), slice(39, 40), slice(40, 41), slice(60, 99), slice(5, 5)):
        np.testing.assert_array_equal(rows.images[part], images[part])


def damage(folder, name, content):
    (folder / name).write_bytes(content)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda f: (f / "synthesis.json").unlink(), "found no synthesis.json"),
        (lambda f: damage(f, "synthesis.json", b'{"format": 9}'), "expected format 1"),
        (lambda f: damage(f, "synthesis.json", b"{"), "expected JSON"),
        (lambda f: (f / "rows-00001.jsonl").unlink(), "rows-00001.jsonl: no such file"),
        (lambda f: damage(f, "rows-00001.jsonl", b'{"row'), "rows-00001.jsonl: damaged"),
        (lambda f: damage(f, "rows-00001.jsonl", b'{"row": 1, "label": "sad"}'), "filter"),
        (lambda f: damage(f, "rows-00001.jsonl", b'{"row": 1, "label": "bored"}'), "found 'bored'"),
        (lambda f: (f / "images-00002.npy").unlink(), "images-00002.npy: missing"),
        (lambda f: damage(f, "images-00002.npy", b"noise"), "images-00002.npy: missing or damaged"),
        (lambda f: np.save(f / "images-00002.npy", np.zeros((9, 6, 5, 3), np.uint8)), "expected uint8[25, 6, 5, 3]"),
    ],
)  # fmt: skip
def test_damage_is_named(harm, said, tmp_path):
    write_folder(tmp_path / "made")
    harm(tmp_path / "made")
    with pytest.raises(BadInput) as caught:
        prepare("synthetic", tmp_path / "made", root=tmp_path / "root", quiet=True)
    assert said in str(caught.value)
    assert not list(tmp_path.glob("root/*"))


def test_an_unfinished_folder_says_how_to_finish_it(tmp_path):
    write_folder(tmp_path / "made", done=False)
    with pytest.raises(BadInput, match="not finished; repeat the fergen sample command"):
        synthetic.read(tmp_path / "made")
    with pytest.raises(BadInput, match="give it with --from"):
        synthetic.read(None)


@pytest.mark.parametrize("form", ["npy", "png"])
def test_faces_are_brought_to_another_size_as_files_are(form, tmp_path):
    from fergen.data.images import decode

    write_folder(tmp_path / "made", form)
    own, other = synthetic.read(tmp_path / "made"), synthetic.read(tmp_path / "made", size=12, channels=1)
    assert other.images.shape == (len(own), 12, 12, 1)
    Image.fromarray(own.images[3:4][0]).save(tmp_path / "one.png")
    expected = decode(tmp_path / "one.png", size=12, channels=1)
    assert np.array_equal(other.images[3:5][0], expected)
