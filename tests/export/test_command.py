"""The verb: files, cards, whole numbers of 8 bits, refusals."""

import json

import jax
import numpy as np
import onnx
import pytest
from jax import export as jax_export

from fergen import main
from fergen.core.errors import FergenError
from fergen.export import card as cards
from fergen.export import check, quantise, runtime, write
from fergen.train.restore import restore
from tests.contract.world import refused
from tests.export.models import made


def props(path) -> dict:
    return {p.key: json.loads(p.value) for p in onnx.load(str(path)).metadata_props}


def test_onnx_with_its_card(tmp_path, capsys):
    out = tmp_path / "deep" / "small.onnx"
    assert main.main(["export", "fer2013_small", str(out)]) == 0
    said = capsys.readouterr()
    assert "largest difference from JAX: " in said.out
    assert said.err == ""
    assert sorted(p.name for p in out.parent.iterdir()) == ["small.md", "small.onnx"]
    meta, found = props(out), restore("fer2013_small")
    assert set(meta) == {"spec", "classes", "image", "card", "lineage", "hash", "function", "fergen"}
    assert (meta["hash"], meta["lineage"], meta["function"]) == (found.hash, found.lineage, "logits")
    assert {"use", "limits", "licence", "scores", "temperature", "data", "check"} <= set(meta["card"])
    model = onnx.load(str(out))
    onnx.checker.check_model(model, full_check=True)
    assert [v.name for v in model.graph.input] == ["images"]
    assert model.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "n"
    page = (out.parent / "small.md").read_text()
    for words in (
        "An expression is not an inner feeling",
        "Not for judging",
        "| images | uint8 | n, 48, 48, 1 |",
        "0.671 [0.656, 0.687]",
        "n = 3,589",
        "Temperature 0.9072",
        "Expected calibration error: 0.025 on public",
        "fer2013",
        found.hash[:12],
        "Apache-2.0",
        "terms of their own",
    ):
        assert words in page, words


def test_the_card_alone(capsys):
    assert main.main(["export", "fer2013_judge", "--card"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("# fer2013_judge\n\nA classifier (cnn) of 48x48x1 images.")
    assert "## Scores" in shown
    assert "## Inputs and outputs" not in shown


def test_stablehlo_with_its_description(tmp_path, faces):
    out = tmp_path / "small.stablehlo"
    assert main.main(["export", "fer2013_small", str(out)]) == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["small.json", "small.md", "small.stablehlo"]
    meta = json.loads((tmp_path / "small.json").read_text())
    assert meta["inputs"] == [{"name": "images", "shape": ["n", 48, 48, 1], "dtype": "uint8"}]
    assert meta["outputs"] == ["logits", "probabilities"]
    model, found = jax_export.deserialize(bytearray(out.read_bytes())), restore("fer2013_small")
    expected = jax.jit(found.predict["logits"])(found.variables, faces)
    np.testing.assert_allclose(model.call(faces)[0], expected, atol=1e-5)


def test_scores_of_an_evaluation_enter_the_card(tmp_path, monkeypatch):
    found = made("procedural_small")
    flat = {"weights_hash": found.hash, "n": 50, "temperature": 1.5, "accuracy": 0.5, "accuracy.low": 0.4,
            "accuracy.high": 0.6, "ece": 0.1}  # fmt: skip
    (tmp_path / "eval").mkdir()
    (tmp_path / "eval" / "test.json").write_text(json.dumps(flat))
    monkeypatch.setattr(write, "restore", lambda reference: found)
    done = write.export("x", tmp_path / "x.onnx", scored=tmp_path / "eval")
    assert "0.500 [0.400, 0.600]" in done.files[-1].read_text()
    assert "It lists" not in done.files[-1].read_text()
    assert runtime.load(done.path).card["temperature"] == 1.5


def test_the_measured_temperature_is_the_one_inside(tmp_path, monkeypatch, faces):
    """A temperature that --scores brings is in the card; the probabilities of the file must be at it."""
    found = made("procedural_small")
    flat = {"weights_hash": found.hash, "n": 50, "temperature": 3.0, "accuracy": 0.5}
    (tmp_path / "test.json").write_text(json.dumps(flat))
    monkeypatch.setattr(write, "restore", lambda reference: found)
    net = runtime.load(write.export("x", tmp_path / "x.onnx", scored=tmp_path).path)
    scaled = np.exp(net.logits(faces) / 3)
    np.testing.assert_allclose(net.probabilities(faces), scaled / scaled.sum(1, keepdims=True), atol=1e-5)


def test_a_generators_card():
    found = made("procedural_gan")
    page = cards.page("x", {**write.described(found), "function": "sample"})
    assert "Generates faces of people who do not exist" in page
    assert "Not measured" in page
    assert "Calibration" not in page
    scores = {"scores": {"control/macro": 0.7}, "measured": {"judge": "fer2013_judge", "n": 5}}
    page = cards.page("x", {**write.described(found), "card": {**write.described(found)["card"], **scores}})
    assert "| control/macro | 0.7 |" in page
    assert "Measured with judge fer2013_judge, n 5." in page


def test_whole_numbers_of_8_bits(tmp_path, tiny_set, monkeypatch, capsys):
    """On procedural faces: the file is a quarter, predictions are nearly the same, and both are in the card."""
    argv = ["export", "fer2013_small", str(tmp_path / "i.onnx"), "--int8", f"--data={tiny_set}", "--split=train,test"]
    assert main.main(argv) == 0
    assert "accuracy on test: 0." in capsys.readouterr().out
    write.export("fer2013_small", tmp_path / "f.onnx")
    small, whole = runtime.load(tmp_path / "i.onnx"), runtime.load(tmp_path / "f.onnx")
    assert (tmp_path / "i.onnx").stat().st_size < 0.3 * (tmp_path / "f.onnx").stat().st_size
    measured = small.card["int8"]["accuracy"]
    assert set(measured) == {"train", "test"}
    assert small.card["stored"] == "int8"
    faces = quantise.training_faces(tiny_set, "train", 40)
    difference = np.abs(small.probabilities(faces) - whole.probabilities(faces))
    assert 1e-6 < difference.max() < 0.1
    labels = quantise.dataset.load(tiny_set, "test")
    expected = (whole.logits(np.asarray(labels.images)).argmax(1) == labels.labels).mean()
    assert measured["test"][0] == pytest.approx(expected)
    assert "| test | 0." in (tmp_path / "i.md").read_text()


def test_a_model_that_differs_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr(check, "TOLERANCE", -1.0)
    for name in ("a.onnx", "a.stablehlo"):
        with pytest.raises(FergenError, match="nothing was written"):
            write.export("fer2013_small", tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["fer2013_small", "a.pt"], "expected a name ending in .onnx or .stablehlo"),
        (["fer2013_small"], "expected OUT"),
        (["fer2013_smal", "a.onnx"], "weights 'fer2013_smal'"),
        (["fer2013_small", "folder.onnx"], "found a folder"),
        (["fer2013_small", "file/a.onnx"], "file"),
        (["fer2013_small", "a.onnx", "--function=sample"], "a classifier has logits, features"),
        (["fer2013_small", "a.onnx", "--steps=3"], "no sampler option steps"),
        (["fer2013_small", "a.onnx", "--scores=nowhere"], "found none"),
        (["fer2013_small", "a.onnx", "--int8", "--data=nowhere"], "no prepared set 'nowhere'"),
        (["fer2013_small", "a.stablehlo", "--int8"], "--int8: expected a classifier's logits as .onnx"),
        (["fer2013_small", "a.onnx", "--int8", "--function=features"], "--int8"),
    ],
)
def test_bad_input_is_one_line(argv, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.onnx").mkdir()
    (tmp_path / "file").write_text("")
    refused(["export", *argv], said, capsys)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder.onnx"]
