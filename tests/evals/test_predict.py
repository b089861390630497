"""Predictions on files: rows, formats, batches; and the command around them."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from fergen import main
from fergen.evals.predict import predict
from fergen.metrics.calibration import softmax
from fergen.train import restore
from tests.evals.handmade import SEVEN, make_restored

RNG = np.random.default_rng(0)
FACES = RNG.integers(256, size=(5, 48, 48), dtype=np.uint8)


@pytest.fixture
def files(tmp_path):
    rows = "\n".join(f"{' '.join(map(str, face.ravel()))},x" for face in FACES[:3])
    (tmp_path / "faces.csv").write_text(f"pixels,other\n{rows}\n")
    Image.fromarray(FACES[3]).save(tmp_path / "face.png")
    Image.fromarray(RNG.integers(256, size=(100, 80, 3), dtype=np.uint8)).save(tmp_path / "photo.jpg")
    return tmp_path


@pytest.fixture
def fake(monkeypatch):
    made = make_restored()
    monkeypatch.setattr(restore, "restore", lambda reference: made)
    return made


def expected(restored, faces, temperature=1.0):
    return softmax(faces.reshape(len(faces), -1).astype(np.float32) @ restored.variables["kernel"], temperature)


@pytest.mark.parametrize("batch", [1, 2, 256])
def test_probabilities_in_the_given_order(files, batch):
    restored = make_restored()
    found = predict(restored, [files / "face.png", files / "faces.csv"], batch=batch)
    assert found.sources == ["face.png", 0, 1, 2]
    np.testing.assert_allclose(found.probabilities, expected(restored, FACES[[3, 0, 1, 2]]), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(found.probabilities.sum(1), 1, rtol=1e-5)
    assert found.predicted == [SEVEN[c] for c in found.probabilities.argmax(1)]


def test_a_table_longer_than_a_block(files):
    restored = make_restored()
    paths = [files / "faces.csv"] * 4
    one_by_one = predict(restored, paths, batch=1)  # blocks of 8 images
    at_once = predict(restored, paths)
    assert one_by_one.sources == at_once.sources == [0, 1, 2] * 4
    np.testing.assert_allclose(one_by_one.probabilities, at_once.probabilities, rtol=1e-3, atol=1e-5)


def test_the_cards_temperature_is_applied(files):
    restored = make_restored(card={"temperature": 3.0})
    found = predict(restored, [files / "face.png"])
    np.testing.assert_allclose(found.probabilities, expected(restored, FACES[3:4], 3.0), rtol=1e-3, atol=1e-5)


def test_thumbnails_keep_colour_and_aspect(files):
    found = predict(make_restored(), [files / "photo.jpg", files / "faces.csv"], thumbnails=2)
    assert [image.shape for image in found.thumbnails] == [(100, 80, 3), (48, 48, 1)]


def test_command_writes_csv_json_and_picture(files, fake):
    inputs = [str(files / name) for name in ("faces.csv", "photo.jpg")]
    table, objects, picture = files / "out.csv", files / "out.json", files / "out.png"
    assert main.main(["predict", *inputs, f"--out={table}", f"--show={picture}"]) == 0
    assert main.main(["predict", *inputs, f"--out={objects}"]) == 0
    rows = list(csv.DictReader(table.open()))
    assert list(rows[0]) == ["source", *SEVEN, "prediction"]
    assert [row["source"] for row in rows] == ["0", "1", "2", "photo.jpg"]
    for row in rows:
        values = {name: float(row[name]) for name in SEVEN}
        assert sum(values.values()) == pytest.approx(1, abs=1e-5)
        assert row["prediction"] == max(values, key=values.get)
    again = json.loads(objects.read_text())
    assert [row["source"] for row in again] == [0, 1, 2, "photo.jpg"]
    assert again[3]["prediction"] == rows[3]["prediction"]
    assert Image.open(picture).format == "PNG"


def test_command_prints_csv_without_out(files, fake, capsys):
    assert main.main(["predict", str(files / "face.png")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("source,angry")
    assert len(lines) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.png", "--out=x.csv"], "no such file"),
        (["face.png", "--out=x.txt"], ".csv or .json"),
        (["face.png", "--out=x.csv", "--show=x.jpg"], ".png"),
        (["face.png", "--out=x.csv", "--batch=0"], "--batch=0"),
    ],
)
def test_faults_end_in_one_line_status_2_and_no_file(files, fake, capsys, monkeypatch, arguments, said):
    monkeypatch.chdir(files)
    before = sorted(files.iterdir())
    assert main.main(["predict", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error
    assert sorted(files.iterdir()) == before
