"""Preparation: what lies on disk is what the source held, whole or not at all, and the audit tells the truth."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from fergen.core.errors import BadInput
from fergen.data import builder as builder_module
from fergen.data import dataset, layout, writer
from fergen.data.prepare import prepare
from fergen.data.splits import digest, is_validation


@pytest.fixture
def done(fer_csv, tmp_path):
    return prepare("fer2013", fer_csv, root=tmp_path / "root", quiet=True)


def everything(root, name="fer2013"):
    return {s: dataset.load(name, s, root=root) for s in dataset.spec_of(name, root=root).splits}


def test_every_row_lands_once_and_unchanged(fer, done, tmp_path):
    splits = everything(tmp_path / "root")
    assert list(splits) == ["train", "validation", "public", "test"]
    seen = np.concatenate([s.rows["id"] for s in splits.values()])
    np.testing.assert_array_equal(np.sort(seen), np.arange(len(fer.images)))
    for split in splits.values():
        ids = split.rows["id"]
        np.testing.assert_array_equal(split.images[..., 0], fer.images[ids])
        np.testing.assert_array_equal(split.labels, fer.emotion[ids])
        assert split.labels.dtype == np.int32
        assert ids.dtype == np.int64


def test_validation_is_the_tenth_by_digest(fer, done, tmp_path):
    splits = everything(tmp_path / "root")
    chosen = [i for i in range(40) if is_validation(digest(fer.images[i][..., None]))]
    assert splits["validation"].rows["id"].tolist() == chosen
    rng = np.random.default_rng(5)
    share = np.mean([is_validation(digest(image)) for image in rng.integers(0, 256, (4000, 4, 4, 1), np.uint8)])
    assert 0.08 < share < 0.12


def test_twins(fer, done, tmp_path):
    splits = everything(tmp_path / "root")
    assert splits["public"].rows["id"][splits["public"].rows["twin"]].tolist() == [40]
    assert splits["test"].rows["id"][splits["test"].rows["twin"]].tolist() == [46]
    assert not splits["train"].rows["twin"].any()
    assert not splits["validation"].rows["twin"].any()
    home = next(s for s in ("train", "validation") if 3 in splits[s].rows["id"])
    assert {3, 4, 5} <= set(splits[home].rows["id"].tolist())
    assert done.audit["twins"]["within"][home] == {"groups": 1, "images": 3, "surplus": 2}
    assert done.audit["twins"]["across"][f"{home}~public"] == {home: 3, "public": 1}
    assert done.audit["twins"]["across"]["public~test"] == {"public": 1, "test": 1}
    assert done.audit["twins"]["across"]["train~validation"] == {"train": 0, "validation": 0}
    assert done.audit["conflicts"] == {"groups": 1, "images": 5, "ids": [3, 4, 5, 40, 46]}
    assert done.audit["unique_images"] == len(fer.images) - 4


def test_counts_and_statistics(fer, done):
    spec = done.spec
    train = fer.images[dataset.load(done.folder, "train").rows["id"]]
    floats = train.astype(np.float64) / 127.5 - 1
    np.testing.assert_allclose(spec.mean, [floats.mean()], rtol=1e-9)
    np.testing.assert_allclose(spec.std, [floats.std()], rtol=1e-9)
    for c, name in enumerate(spec.classes):
        assert sum(of[name] for of in done.audit["counts"].values()) == (fer.emotion == c).sum()
    assert done.audit["constant"]["ids"] == [7]
    assert spec.vocabulary == "seven"
    assert spec.image_shape == (48, 48, 1)
    assert json.loads((done.folder / "audit.json").read_text())["counts"] == done.audit["counts"]


def test_official_splits(fer, fer_csv, tmp_path):
    prepare("fer2013", fer_csv, root=tmp_path, splits="official", quiet=True)
    splits = everything(tmp_path)
    assert {name: s.rows["id"].tolist() for name, s in splits.items()} == {
        "train": list(range(40)),
        "validation": list(range(40, 46)),
        "test": list(range(46, 51)),
    }
    assert splits["validation"].rows["id"][splits["validation"].rows["twin"]].tolist() == [40]


@pytest.mark.parametrize("shard_bytes", [1 << 28, 20_000])
def test_arrayrecord_holds_the_same_rows_in_order(fer_csv, tmp_path, monkeypatch, shard_bytes):
    import tensorflow_datasets as tfds

    monkeypatch.setattr(builder_module, "SHARD_BYTES", shard_bytes)
    done = prepare("fer2013", fer_csv, root=tmp_path, quiet=True)
    train = list((done.folder / "tfds").rglob("*-train.array_record*"))
    assert len(train) == max(1, -(-done.spec.splits["train"] * 2304 // shard_bytes))
    builder = tfds.builder_from_directory(str(next((done.folder / "tfds").glob("*/*"))))
    for name in done.spec.splits:
        split, records = dataset.load(done.folder, name), builder.as_data_source(split=name)
        assert len(records) == len(split)
        for i in range(len(split)):
            np.testing.assert_array_equal(records[i]["image"], split.images[i])
            assert records[i]["label"] == split.labels[i]
            assert records[i]["id"] == split.rows["id"][i]
    assert "tensorflow" not in sys.modules


def test_again_is_nothing_to_do(fer, fer_csv, done, tmp_path):
    stamps = {p: p.stat().st_mtime_ns for p in done.folder.rglob("*")}
    again = prepare("fer2013", fer_csv, root=tmp_path / "root", quiet=True)
    assert not again.fresh
    assert again.spec == done.spec
    assert again.audit == json.loads(json.dumps(done.audit))
    assert stamps == {p: p.stat().st_mtime_ns for p in done.folder.rglob("*")}


def test_other_input_or_options_replace_and_damage_is_mended(fer, fer_csv, done, tmp_path):
    root = tmp_path / "root"
    assert prepare("fer2013", fer_csv, root=root, splits="official", quiet=True).fresh
    back = prepare("fer2013", fer_csv, root=root, quiet=True)
    assert back.fresh
    assert back.spec.hash == done.spec.hash  # the same rows give the same hash
    images = layout.images_file(done.folder, "train")
    images.write_bytes(images.read_bytes()[:-100])
    with pytest.raises(BadInput, match="damaged"):
        dataset.load("fer2013", "train", root=root)
    assert prepare("fer2013", fer_csv, root=root, quiet=True).fresh
    fer.emotion[0] = (fer.emotion[0] + 1) % 7
    fer_csv.write_text(fer.csv())
    changed = prepare("fer2013", fer_csv, root=root, quiet=True)
    assert changed.fresh
    assert changed.spec.hash != done.spec.hash


def test_bad_input_leaves_nothing_and_keeps_what_was(fer, fer_csv, done, tmp_path):
    root = tmp_path / "root"
    fer_csv.write_text(fer.csv() + "9,1 2,Training\n")
    with pytest.raises(BadInput):
        prepare("fer2013", fer_csv, root=root, quiet=True)
    with pytest.raises(BadInput):
        prepare("fer2013", fer_csv, root=root, name="other", quiet=True)
    assert [p.name for p in root.iterdir()] == ["fer2013"]
    assert len(dataset.load("fer2013", "train", root=root)) == done.spec.splits["train"]


def test_killed_while_writing_leaves_nothing_half_written(fer_csv, tmp_path):
    root = tmp_path / "root"
    program = (
        "import sys, time\n"
        "from fergen.data import builder, prepare\n"
        "def stuck(*_, **__):\n"
        "    print('writing', flush=True)\n"
        "    time.sleep(600)\n"
        "builder.write = stuck\n"
        "prepare.prepare('fer2013', sys.argv[1], root=sys.argv[2], quiet=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program, fer_csv, root], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "writing\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not (root / "fer2013").exists()
    assert dataset.available(root) == []
    assert prepare("fer2013", fer_csv, root=root, quiet=True).fresh
    assert os.listdir(root) == ["fer2013"]  # what the killed one left is swept


@pytest.mark.parametrize("spare", [-5000, 1000], ids=["npy", "ArrayRecord"])
def test_a_file_that_cannot_be_written_is_one_line(fer_csv, done, tmp_path, spare):
    # Files may grow to about the size of the largest .npy, so that either it or its ArrayRecord meets the limit.
    limit = layout.images_file(done.folder, "train").stat().st_size + spare
    program = (
        "import resource, sys\n"
        "from fergen import main\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        "sys.exit(main.main(sys.argv[1:]))\n"
    )
    root = tmp_path / "full"
    arguments = ["prepare", "fer2013", "--from", str(fer_csv), "--root", str(root), "--quiet"]
    ended = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("fergen: ")
    assert "cannot write" in ended.stderr
    assert "File too large" in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert os.listdir(root) == []


def test_never_replaces_what_is_no_prepared_set(fer_csv, tmp_path):
    (tmp_path / "root" / "fer2013").mkdir(parents=True)
    (tmp_path / "root" / "fer2013" / "thesis.tex").write_text("years of work")
    with pytest.raises(BadInput, match="choose another name"):
        prepare("fer2013", fer_csv, root=tmp_path / "root", quiet=True)
    for name in ("../root", "a/b", "", ".", ".hidden"):
        with pytest.raises(BadInput, match="plain name" if name else "choose|plain"):
            prepare("fer2013", fer_csv, root=tmp_path / "root", name=name, quiet=True)
    assert (tmp_path / "root" / "fer2013" / "thesis.tex").exists()


def test_options_belong_to_their_source(fer_csv, tmp_path):
    with pytest.raises(BadInput, match="no option --count; it takes --ferplus"):
        prepare("fer2013", fer_csv, root=tmp_path, count=3)
    with pytest.raises(BadInput, match="no source 'fer2014'; there are: .*fer2013"):
        prepare("fer2014", fer_csv, root=tmp_path)
    with pytest.raises(BadInput, match="hash or official"):
        prepare("fer2013", fer_csv, root=tmp_path, splits="mine")
    with pytest.raises(BadInput, match="no such file"):
        prepare("fer2013", tmp_path / "none.csv", root=tmp_path)


def test_official_needs_public_rows(fer, tmp_path):
    fer.usage = ["Training"] * len(fer.usage)
    (tmp_path / "t.csv").write_text(fer.csv())
    with pytest.raises(BadInput, match="this source has only: train"):
        prepare("fer2013", tmp_path / "t.csv", root=tmp_path / "root", splits="official", quiet=True)


@pytest.fixture
def faces(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(24):
        folder = tmp_path / "faces" / ("happy" if i % 2 else "sad")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (20, 20), np.uint8)).save(folder / f"{i:02d}.png")
    return tmp_path / "faces"


def test_unreadable_images_stop_or_are_counted(faces, tmp_path):
    broken = faces / "happy" / "03.png"
    broken.write_bytes(broken.read_bytes()[:60])
    with pytest.raises(BadInput, match=r"03\.png"):
        prepare("folder", faces, root=tmp_path / "root", quiet=True)
    assert not list((tmp_path / "root").glob("*"))
    done = prepare("folder", faces, root=tmp_path / "root", skip_unreadable=True, quiet=True)
    assert done.audit["unreadable"]["images"] == 1
    assert "03.png" in done.audit["unreadable"]["first"][0]
    assert sum(done.spec.splits.values()) == 23


def test_several_chunks_give_the_same_set(fer_csv, done, tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "CHUNK", 7)
    other = prepare("fer2013", fer_csv, root=tmp_path / "chunks", quiet=True)
    assert other.spec.hash == done.spec.hash
    np.testing.assert_allclose(other.spec.mean, done.spec.mean, rtol=1e-12)


def test_progress_is_shown(fer_csv, tmp_path, capsys):
    start = time.monotonic()
    prepare("fer2013", fer_csv, root=tmp_path / "root")
    shown = capsys.readouterr()
    assert "51 rows" in shown.err
    assert "writing ArrayRecord: 51 images" in shown.err
    assert shown.out == ""
    assert time.monotonic() - start < 60
