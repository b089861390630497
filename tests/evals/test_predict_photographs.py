"""`fergen predict --detect`: photographs in, a row per face out."""

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image

from fergen.main import main

skimage_data = pytest.importorskip("skimage.data")


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """A portrait, two people side by side, and a cup of coffee."""
    folder = tmp_path_factory.mktemp("photographs")
    portrait = skimage_data.astronaut()
    Image.fromarray(portrait).save(folder / "a.png")
    Image.fromarray(np.concatenate([portrait, portrait[:, ::-1]], axis=1)).save(folder / "b.png")
    Image.fromarray(skimage_data.coffee()).save(folder / "c.png")
    return folder


def test_every_face_has_a_row(photographs, capsys):
    assert main(["predict", str(photographs / "a.png"), str(photographs / "b.png"), "--detect"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["source"] for row in rows] == ["a.png", "b.png", "b.png"]
    # She smiles, also in the mirror.
    assert {row["prediction"] for row in rows} == {"happy"}
    left, right = (float(row["x"]) + float(row["width"]) / 2 for row in rows[1:])
    assert left + right == pytest.approx(2 * 512, abs=8)


def test_pictures_without_a_face_are_named(photographs, tmp_path, capsys):
    out, shown = tmp_path / "faces.json", tmp_path / "faces.png"
    assert main(["predict", str(photographs), "--detect", f"--out={out}", f"--show={shown}"]) == 0
    assert "no face found in 1 photographs: c.png" in capsys.readouterr().err
    found = json.loads(out.read_text())
    assert [row["source"] for row in found] == ["a.png", "b.png", "b.png"]
    assert all(40 < row["height"] < 200 for row in found)
    assert shown.stat().st_size > 10_000


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["c.png", "--detect"], "expected a face in a photograph at least, found none in 1"),
        (["a.png", "--detect=eyes"], "detector 'eyes': expected one of"),
        (["a.png", "--detect=yunet:nowhere.onnx"], "nowhere.onnx"),
    ],
)
def test_what_is_refused(argv, words, photographs, capsys):
    assert main(["predict", str(photographs / argv[0]), *argv[1:]]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert words in said
