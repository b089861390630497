"""What was trained on can choose nothing, and a score on it is none."""

from types import SimpleNamespace

import numpy as np
import pytest

from fergen.core.errors import BadInput
from fergen.data import layout
from fergen.evals import run as evals
from tests.evals.handmade import SEVEN, make_restored

SHAPE = (4, 4, 1)


@pytest.fixture
def prepared(tmp_path):
    folder, rng = tmp_path / "set", np.random.default_rng(0)
    folder.mkdir()
    sizes = {"train": 10, "validation": 30, "public": 20}
    for split, n in sizes.items():
        np.save(layout.images_file(folder, split), rng.integers(0, 256, (n, *SHAPE), np.uint8))
        label = rng.integers(7, size=n).astype(np.int32)
        np.savez(layout.rows_file(folder, split), label=label, id=np.arange(n), twin=np.zeros(n, bool))
    layout.write_spec(folder, layout.DatasetSpec("set", SEVEN, SHAPE, sizes, (0.0,), (1.0,), "a" * 64, None))
    return folder


def members(*splits) -> list[SimpleNamespace]:
    """A member for each split that one was trained on."""
    found = []
    for i, split in enumerate(splits):
        member = make_restored(SHAPE, seed=i, name=f"runs/{i}")
        found.append(SimpleNamespace(**{**vars(member), "spec": {**member.spec, "data": {"split": split}}}))
    return found


def test_a_member_trained_on_validation_takes_it_from_all(prepared):
    honest = evals.run(members("train", "train"), prepared, bootstrap=0, select=True)
    assert list(honest.results) == ["validation", "public"]
    assert honest.results["public"].scores["temperature"] != 1

    final = members("train", "train+validation")
    report = evals.run(final, prepared, bootstrap=0)
    assert list(report.results) == ["public"]
    assert report.results["public"].scores["temperature"] == 1
    with pytest.raises(BadInput, match="runs/1 trained on it"):
        evals.run(final, prepared, bootstrap=0, select=True)
    asked = evals.run(final, prepared, ["validation"], bootstrap=0)
    assert asked.results["validation"].scores["temperature"] == 1
    assert any("no held-out split" in note for note in asked.notes)


def test_the_spec_of_a_final_run_says_so(tmp_path, monkeypatch):
    from fergen.core import config
    from fergen.train.setup import prepare

    monkeypatch.setenv("FERGEN_DATA", str(tmp_path))
    base = config.load("procedural_small:smoke", ["data.name=procedural_32_n40"])
    assert prepare(base).task.spec["data"]["split"] == "train"
    final = config.load("procedural_small:smoke", ["data.name=procedural_32_n40", "data.split=train+validation"])
    run = prepare(final)
    assert run.task.spec["data"]["split"] == "train+validation"
    assert run.validation is None
    assert run.source.n == 36
