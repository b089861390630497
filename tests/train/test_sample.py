"""`fergen sample` as a user meets it, and the faces of its pictures."""

import sys
import types

import jax
import numpy as np
import pytest
from PIL import Image

from fergen import main
from fergen.core.errors import BadInput
from fergen.data import dataset
from fergen.train import faces
from tests.train.fake_generator import SEVEN, classifier, contents, generator


@pytest.fixture
def weights(monkeypatch):
    """References that can be restored: gan, uncond, flow, classifier."""
    flow = generator()
    flow.spec["task"] = "fakeflow"
    flow.spec["sampler"] = {"name": "euler", "steps": 4, "guidance": 1.0}
    flow.predict.update(flow_predict(flow.spec))
    module = types.ModuleType("fergen.tasks.fakeflow")
    module.predict_of = flow_predict
    monkeypatch.setitem(sys.modules, "fergen.tasks.fakeflow", module)
    there = {
        "gan": generator(),
        "uncond": generator(conditional=False),
        "flow": flow,
        "classifier": classifier(),
    }

    def restore(reference):
        if reference not in there:
            raise BadInput(f"weights '{reference}': found none")
        return there[reference]

    monkeypatch.setattr("fergen.train.restore.restore", restore)
    monkeypatch.setattr(faces, "restore", restore)
    return there


def flow_predict(spec):
    """Each step adds 1 / steps of the label's gray: the whole way whatever the steps, and the guidance to one pixel."""
    steps, guidance = spec["sampler"]["steps"], spec["sampler"]["guidance"]

    def sample_step(variables, x, i, labels):
        x = x.at[:, 1:].add(labels[:, None, None, None] / 10 / steps)
        return x.at[:, 0, 0].set(guidance / 10 * (i + 1) / steps)

    def sample(variables, latents, labels):
        return jax.lax.fori_loop(0, steps, lambda i, x: sample_step(variables, x, i, labels), latents)

    return {"draw": lambda key: jnp_zeros(key), "sample": sample, "sample_step": sample_step}


def jnp_zeros(key):
    return 0 * jax.random.normal(key, (8, 8, 1))


def test_a_column_is_one_latent_under_every_emotion(weights):
    images = faces.grid(weights["gan"], columns=3, seed=5)
    assert images.shape == (7, 3, 8, 8, 1)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images[:, :, 1:], np.broadcast_to(images[:1, :, 1:], images[:, :, 1:].shape))
    assert (images[0, 0, 1:] != images[0, 1, 1:]).any()
    np.testing.assert_array_equal(images[:, 0, 0, 0, 0], 30 * np.arange(7))
    some = faces.grid(weights["gan"], ["sadness", "angry"], columns=3, seed=5)
    np.testing.assert_array_equal(some, images[[SEVEN.index("sad"), 0]])
    assert (faces.grid(weights["gan"], columns=3, seed=6) != images).any()


def test_an_unconditional_grid_has_a_latent_per_face(weights):
    images = faces.grid(weights["uncond"], columns=3)
    assert len(np.unique(images.reshape(21, -1), axis=0)) == 21


def test_a_way_begins_and_ends_with_the_grids_first_two(weights):
    grid, way = faces.grid(weights["gan"], columns=2), faces.interpolation(weights["gan"], columns=5, batch=9)
    assert way.shape == (7, 5, 8, 8, 1)
    assert np.abs(way[:, [0, -1]].astype(int) - grid).max() <= 1
    assert len(np.unique(way[0].reshape(5, -1), axis=0)) == 5
    # An unconditional generator has a pair of latents for each row.
    assert len(np.unique(faces.interpolation(weights["uncond"], columns=2).reshape(14, -1), axis=0)) == 14


def test_the_sampler_can_be_overridden_where_there_is_one(weights):
    plain, other = faces.generator("flow"), faces.generator("flow", steps=8, guidance=3.0, name=None)
    assert plain.spec["sampler"]["steps"] == 4
    assert other.spec["sampler"] == {"name": "euler", "steps": 8, "guidance": 3.0}
    a, b = (faces.grid(net, columns=1) for net in (plain, other))
    assert np.abs(a[:, :, 1:].astype(int) - b[:, :, 1:]).max() <= 1, "all the way, whatever the steps"
    np.testing.assert_allclose(a[:, 0, 1, 0, 0], 127.5 + 12.75 * np.arange(7), atol=1)
    np.testing.assert_allclose([a[0, 0, 0, 0, 0], b[0, 0, 0, 0, 0]], [127.5 * 1.1, 127.5 * 1.3], atol=1)
    assert faces.interpolation(other, columns=2).shape == (7, 2, 8, 8, 1)
    with pytest.raises(BadInput, match="have no sampler option steps; there: none: it samples in one step"):
        faces.generator("gan", steps=8)


def run(*argv):
    return main.main(["sample", "--quiet", *argv])


def test_pictures(weights, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run("--weights=gan") == 0
    assert capsys.readouterr().out == "wrote samples.png: 7 rows of 10 faces\n"
    assert run("--weights=gan", "--interpolate", "--classes=happy,sadness", "--columns=4", "--out=w/way.png") == 0
    assert run("--weights=uncond", "--columns=2", "--out=u.png") == 0
    with Image.open("samples.png") as grid, Image.open("w/way.png") as way, Image.open("u.png") as rows:
        assert grid.height > 2 * way.height
        assert grid.width > 10 * 96 > rows.width


def test_a_set_is_written_printed_and_prepared(weights, tmp_path, capsys):
    made, root = tmp_path / "made", tmp_path / "root"
    argv = ["--weights=gan", f"--dataset={made}", "--n=70", "--filter=classifier", "--confidence=0.5", "--batch=32"]
    assert run(*argv) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["class", "faces", "drawn", "passed"]
    assert lines[1].split()[:2] == ["angry", "10"]
    assert lines[-1] == f"{made}: 70 faces, 70 of them new"
    before = contents(made)
    assert run(*argv) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{made}: 70 faces, 0 of them new"
    assert contents(made) == before
    assert main.main(["prepare", "synthetic", "--from", str(made), "--root", str(root), "--quiet"]) == 0
    spec = dataset.spec_of("synthetic", root=root)
    assert sum(spec.splits.values()) == 70
    assert set(spec.lineage["weights"]) == {"a" * 64, "f" * 64}


def test_a_folder_of_images(weights, tmp_path, capsys):
    assert run("--weights=gan", f"--out={tmp_path / 'faces'}", "--labels=happiness=3,sad=2") == 0
    assert {p.name: len(list(p.iterdir())) for p in (tmp_path / "faces").iterdir() if p.is_dir()} == {
        "happy": 3,
        "sad": 2,
    }
    assert "passed" not in capsys.readouterr().out


BAD = {
    "no such weights": (["--weights=none"], "weights 'none'"),
    "a classifier": (["--weights=classifier"], "expected a generator, found a classifier"),
    "unknown emotion": (
        ["--weights=gan", "--classes=happy,bored"],
        "'bored': this generator has: angry",
    ),
    "emotion of an unconditional one": (["--weights=uncond", "--classes=happy"], "this generator is unconditional"),
    "unlabelled set": (["--weights=uncond", "--dataset=d"], "needs faces of known emotions"),
    "two forms": (["--weights=gan", "--out=d", "--dataset=e"], "--out or --dataset"),
    "count of a picture": (["--weights=gan", "--n=5"], "--n goes with --out=DIR or --dataset=DIR"),
    "way of a set": (["--weights=gan", "--dataset=d", "--interpolate"], "--interpolate goes with a picture"),
    "way of one face": (["--weights=gan", "--interpolate", "--columns=1"], "--columns=1"),
    "counts twice": (["--weights=gan", "--dataset=d", "--labels=sad=5", "--n=5"], "leave out --n"),
    "counts of another form": (["--weights=gan", "--dataset=d", "--labels=sad:5"], "EMOTION=NUMBER"),
    "count of nothing": (["--weights=gan", "--dataset=d", "--labels=sad=0"], "at least 1 face of sad"),
    "no faces": (["--weights=gan", "--dataset=d", "--n=0"], "--n=0"),
    "no batch": (["--weights=gan", "--batch=0"], "--batch=0"),
    "confidence without filter": (["--weights=gan", "--dataset=d", "--confidence=0.5"], "with --filter"),
    "no probability": (["--weights=gan", "--dataset=d", "--filter=classifier", "--confidence=70"], "[0, 1]"),
    "no such filter": (["--weights=gan", "--dataset=d", "--filter=none"], "weights 'none'"),
    "a generator as filter": (["--weights=gan", "--dataset=d", "--filter=gan"], "expected a classifier"),
    "no such set": (["--weights=gan", "--dataset=d", "--like=nowhere"], "no prepared set 'nowhere'"),
    "more than the disk holds": (["--weights=gan", "--dataset=d", "--n=10000000000000"], "bytes, and the disk has"),
    "no sampler": (["--weights=gan", "--steps=8"], "have no sampler option steps"),
    "no steps": (["--weights=flow", "--steps=0"], "--steps=0"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_leaves_nothing(case, weights, tmp_path, monkeypatch, capsys):
    argv, said = BAD[case]
    monkeypatch.chdir(tmp_path)
    assert run(*argv) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert said in shown.err
    assert not list(tmp_path.iterdir())


def test_a_sweep_is_a_column_per_value(weights, tmp_path):
    """Guidance shows in one pixel of each face, the label's gray in the others."""
    found = faces.sweep(weights["flow"], "guidance", [0.0, 2.0, 5.0], ["happy", "sad"])
    assert found.shape[:2] == (2, 3)
    lit = found[:, :, 0, 0, 0].astype(int)
    assert (np.diff(lit, axis=1) > 0).all()
    assert (found[:, :, 1:] == found[:, :1, 1:]).all()
    out = tmp_path / "sweep.png"
    assert main.main(["sample", "--weights=flow", "--sweep=guidance=0,2", f"--out={out}"]) == 0
    assert Image.open(out).width > 2 * 8


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--sweep=guidance"], "expected OPTION=NUMBER,NUMBER"),
        (["--sweep=guidance=a,b"], "expected OPTION=NUMBER,NUMBER"),
        (["--sweep=truncation=0,1"], "have no sampler option truncation"),
        (["--mix=3"], "expected a stylegan2, found a fakeflow"),
        (["--mix=3", "--interpolate"], "expected one of them"),
    ],
)
def test_bad_pictures(argv, words, weights, tmp_path, capsys):
    assert main.main(["sample", "--weights=flow", *argv, f"--out={tmp_path / 'x.png'}"]) == 2
    assert words in capsys.readouterr().err


def test_a_class_that_was_never_learned_is_not_offered():
    spec = generator(prior=[0.5, 0.5, 0, 0, 0, 0, 0]).spec
    assert faces.emotions(spec) == list(SEVEN[:2])
    with pytest.raises(BadInput, match=f"unknown emotion '{SEVEN[2]}'"):
        faces.chosen(spec, [SEVEN[2]])
