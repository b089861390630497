"""`fergen eval` on a hand-made prepared set: what is chosen where, what is written, and how faults end."""

import dataclasses
import json

import numpy as np
import pytest

from fergen import main
from fergen.core.errors import BadInput
from fergen.data import dataset, layout
from fergen.data.ferplus import VOTES, majority
from fergen.data.vocabulary import VOCABULARIES, canonical
from fergen.evals import run as evals
from fergen.metrics import selective
from fergen.metrics.calibration import fit_temperature, softmax
from fergen.train import checkpoints, restore
from tests.evals.handmade import SEVEN, make_restored

SHAPE = (8, 8, 1)
VOTE_OF = {canonical(name): i for i, name in enumerate(VOTES[:8])}
SIZES = {"validation": 60, "public": 50}


def write_set(folder, sizes, restored, classes=SEVEN, seed=0):
    """Write a prepared set whose labels the linear classifier gets right about half of the time."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    for split, n in sizes.items():
        images = rng.integers(256, size=(n, *SHAPE), dtype=np.uint8)
        best = (images.reshape(n, -1) @ restored.variables["kernel"]).argmax(1)
        label = np.where(rng.random(n) < 0.5, best, rng.integers(len(classes), size=n)).astype(np.int32)
        twin = np.arange(n) % 5 == 0 if split == "public" else np.zeros(n, bool)
        np.save(layout.images_file(folder, split), images)
        units = images.reshape(n, -1)[:, :2].astype(np.float32) / 255
        # The votes agree with the labels, save for rows that FER2013 calls neutral and the voters contempt.
        votes = np.zeros((n, len(VOTES)), np.uint8)
        votes[np.arange(n), [VOTE_OF[classes[c]] for c in label]] = 9
        votes[label == len(classes) - 1, VOTES.index("contempt")] = 10
        np.savez(
            layout.rows_file(folder, split), label=label, id=np.arange(n), twin=twin, votes=votes, action_units=units
        )
    spec = layout.DatasetSpec(folder.name, tuple(classes), SHAPE, dict(sizes), (0.0,), (1.0,), "a" * 64, None)
    spec = dataclasses.replace(spec, options={"ferplus": "votes.csv"})
    layout.write_spec(folder, spec)
    return folder


@pytest.fixture
def members():
    return [make_restored(SHAPE, seed=seed, name=f"runs/{seed}") for seed in (0, 1)]


@pytest.fixture
def prepared(tmp_path, members):
    return write_set(tmp_path / "handmade", SIZES, members[0])


def test_temperature_is_fitted_on_validation_even_if_it_is_not_scored(prepared, members):
    whole = evals.run(members[:1], prepared, bootstrap=0)
    alone = evals.run(members[:1], prepared, ["public"], bootstrap=0)
    assert list(whole.results) == ["validation", "public"]
    assert list(alone.results) == ["public"]
    kernel = members[0].variables["kernel"]
    validation = whole.results["validation"].split
    fitted = fit_temperature(np.asarray(validation.images).reshape(60, -1) @ kernel, validation.labels)
    said = softmax(np.asarray(validation.images).reshape(60, -1) @ kernel, fitted)
    sure = selective.choose(said, validation.labels)
    assert sure is not None
    for report in (whole, alone):
        scores, split = report.results["public"].scores, report.results["public"].split
        assert scores["temperature"] == pytest.approx(fitted, rel=1e-3)
        assert scores["threshold"] == sure.threshold
        answers = softmax(np.asarray(split.images).reshape(50, -1) @ kernel, fitted)
        there = selective.at(answers, split.labels, sure.threshold)
        assert (scores["answered"], scores["answered_accuracy"]) == pytest.approx(there[2:0:-1], nan_ok=True)
    assert fitted != 1
    assert 0 < sure.threshold < 1


def test_scores_of_a_split(prepared, members):
    result = evals.run(members[:1], prepared, bootstrap=50).results["public"]
    predicted = (np.asarray(result.split.images).reshape(50, -1) @ members[0].variables["kernel"]).argmax(1)
    assert result.scores["accuracy"] == pytest.approx((predicted == result.split.labels).mean())
    assert result.scores["no_twins/n"] == 40
    counted = [result.scores[f"confusion/{true}/{said}"] for true in SEVEN for said in SEVEN]
    np.testing.assert_array_equal(np.reshape(counted, (7, 7)), result.arrays["confusion"])
    emotions = result.split.labels != SEVEN.index("neutral")
    assert result.scores["ferplus/n"] == emotions.sum()
    assert result.scores["ferplus/accuracy"] == pytest.approx((predicted == result.split.labels)[emotions].mean())
    assert result.scores["accuracy.low"] < result.scores["accuracy"] < result.scores["accuracy.high"]
    assert "action_units/correlation/0" in result.scores
    assert result.arrays["confusion"].sum() == 50


def test_no_validation_no_temperature_and_it_says_so(tmp_path, members):
    folder = write_set(tmp_path / "bare", {"test": 30}, members[0])
    report = evals.run(members[:1], folder, bootstrap=0)
    assert report.results["test"].scores["temperature"] == 1
    assert "threshold" not in report.results["test"].scores
    assert any("no validation split" in note for note in report.notes)
    with pytest.raises(BadInput, match="validation"):
        evals.run(members, folder, select=True)


def test_ensemble_averages_and_selects(prepared, members):
    both = evals.run(members, prepared, bootstrap=0)
    assert both.members == ["runs/0", "runs/1"]
    selected = evals.run(members, prepared, bootstrap=0, select=True)
    assert selected.members[0] == "runs/0"  # the labels are half its own
    one = evals.run(members[:1], prepared, bootstrap=0)
    assert both.results["public"].scores["accuracy"] < one.results["public"].scores["accuracy"]


def test_five_classes_on_request_and_by_need(prepared, members):
    asked = evals.run(members[:1], prepared, ["public"], vocabulary="five", bootstrap=0)
    split = asked.results["public"].split
    assert len(split.spec.classes) == 5
    assert sum(split.dropped.values()) == 50 - len(split.labels)
    assert any("left out" in note for note in asked.notes)
    five = make_restored(SHAPE, classes=("angry", "happy", "sad", "surprise", "neutral"))
    needed = evals.run([five], prepared, ["public"], bootstrap=0)
    assert needed.results["public"].scores["n"] == asked.results["public"].scores["n"]


def test_ferplus_majorities_are_counted_in_the_classes_of_the_weights(prepared, members):
    eight = make_restored(SHAPE, classes=VOCABULARIES["eight"])
    result = evals.run([eight], prepared, ["public"], bootstrap=0).results["public"]
    truth = majority(result.split.rows["votes"], VOCABULARIES["eight"])
    predicted = (np.asarray(result.split.images).reshape(50, -1) @ eight.variables["kernel"]).argmax(1)
    assert result.scores["ferplus/n"] == 50
    assert result.scores["ferplus/n/contempt"] == (truth == VOCABULARIES["eight"].index("contempt")).sum() > 0
    assert result.scores["ferplus/accuracy"] == pytest.approx((predicted == truth).mean())
    # A member that knows seven classes keeps the ensemble to those.
    both = evals.run([eight, members[1]], prepared, ["public"], bootstrap=0)
    assert len(both.results["public"].split.spec.classes) == 7


def test_the_same_weights_twice_are_refused(prepared, members):
    with pytest.raises(BadInput, match="weights 'runs/0': expected different members"):
        evals.run([*members, members[0]], prepared, bootstrap=0)


def test_procedural_faces_are_drawn_by_the_one_rule(monkeypatch):
    drawn = []
    monkeypatch.setattr(dataset, "prepare", lambda source, name, **options: drawn.append(name))
    for name in ("procedural_32_n40", "proceduralist"):
        with pytest.raises(BadInput, match="no prepared set"):
            evals.run([make_restored(SHAPE)], name)
    assert drawn == ["procedural_32_n40"]


def test_classes_that_the_weights_lack_are_an_error(prepared):
    odd = make_restored(SHAPE, classes=("happy", "bored"))
    with pytest.raises(BadInput, match="angry"):
        evals.run([odd], prepared, bootstrap=0)


@pytest.fixture
def run_folder(tmp_path, members, prepared, monkeypatch):
    """A run with two checkpoints, whose weights are the fake ones."""
    workdir = tmp_path / "runs" / "x"
    for step in (4, 8):
        (workdir / checkpoints.FOLDER / str(step)).mkdir(parents=True)
    for member in members:
        member.spec["data"]["name"] = str(prepared)
    monkeypatch.setattr(restore, "restore", lambda reference: members[int(str(reference).endswith("1"))])
    return workdir


def test_command_writes_flat_json_and_pictures(run_folder, capsys):
    assert main.main(["eval", f"--workdir={run_folder}", "--bootstrap=20", "--tta=flip"]) == 0
    folder = run_folder / "eval" / "8"
    scores = json.loads((folder / "public.json").read_text())
    assert scores["split"] == "public"
    assert scores["data_hash"] == "a" * 64
    assert scores["weights_hash"] == "f" * 64
    assert scores["n"] == 50
    assert {"accuracy.low", "tta/accuracy", "tta/no_twins/macro_f1.high", "five/accuracy", "tta/temperature"} <= set(
        scores
    )
    assert not any(isinstance(value, dict | list) for value in scores.values())
    assert "NaN" not in (folder / "public.json").read_text()
    for kind in ("confusion", "reliability", "mistakes"):
        assert (folder / f"public.{kind}.png").stat().st_size > 1000
    printed = capsys.readouterr().out
    assert "without twins" in printed
    assert f"{100 * scores['accuracy']:.1f} [" in printed


def test_command_takes_steps_splits_and_ensembles(run_folder, tmp_path):
    assert main.main(["eval", f"--workdir={run_folder}", "--step=all", "--split=public", "--bootstrap=0"]) == 0
    assert {path.name for path in (run_folder / "eval").iterdir()} == {"4", "8", "curves.png"}
    assert not (run_folder / "eval" / "4" / "validation.json").exists()
    out = tmp_path / "joined"
    assert main.main(["eval", "--weights", "runs/0", "runs/1", f"--out={out}", "--bootstrap=0"]) == 0
    assert json.loads((out / "public.json").read_text())["weights"] == "runs/0, runs/1"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--split=test"], "no split 'test'; it has: validation, public"),
        (["--split=public,tset"], "no split 'tset'"),
        (["--step=5"], "no such checkpoint"),
        (["--data=absent"], "absent"),
        (["--vocabulary=nine"], "nine"),
        (["--batch=0"], "--batch"),
        (["--select"], "--select"),
        (["--weights", "x"], "--workdir"),
    ],
)
def test_faults_end_in_one_line_status_2_and_nothing_written(run_folder, capsys, arguments, said):
    assert main.main(["eval", f"--workdir={run_folder}", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error
    assert not (run_folder / "eval").exists()


def test_a_folder_without_checkpoints_is_an_error(tmp_path, capsys):
    assert main.main(["eval", f"--workdir={tmp_path}"]) == 2
    assert "no" in capsys.readouterr().err
