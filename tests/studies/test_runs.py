"""Runs of a study: finished ones are not run again, failed ones stop no other, and all are gathered."""

import json
import math

import pytest

from fergen.core import config as configs
from fergen.core.errors import BadInput
from fergen.studies import runs, summary
from fergen.studies.jobs import Job
from fergen.studies.runs import Measured, Study
from tests.studies.fake_executor import Fake

MEASURED = (Measured("test.json", ("--split=test",)), Measured("test.json", ("--data=other",), "other/"))


def study(tmp_path, execute):
    return Study(configs.load("transfer:smoke"), tmp_path, execute, quiet=True)


def members(this, arms=("a", "b"), seeds=2):
    return [
        this.member(arm, "procedural_small:smoke", [f"optim.lr={i + 1.0}"], measured=MEASURED, seed=seed)
        for i, arm in enumerate(arms)
        for seed in range(seeds)
    ]


def seed_of(job: Job) -> int:
    return int(job.name[-1])


def test_a_run_is_trained_and_measured_by_the_commands_that_a_user_would_type(tmp_path):
    this = study(tmp_path, Fake(lambda job: {}))
    (member,) = members(this, ("real ×2",), 1)
    train, own, other = member.job.commands
    run = tmp_path / "runs" / "real_x2" / "seed0" / "run"
    assert train == ("train", "--config=procedural_small:smoke", f"--workdir={run}", "--quiet",
                     "--config.optim.lr=1.0", "--config.seed=0")  # fmt: skip
    assert own == ("eval", "--weights", str(run), f"--out={run.parent / 'scores' / 'own'}", "--split=test")
    assert other[-1] == "--data=other"
    assert member.run == run


def test_finished_runs_are_not_run_again_and_failed_ones_are(tmp_path):
    first = Fake(lambda job: {"accuracy": 0.5}, failing=("b/seed1",))
    rows = study(tmp_path, first).compare(members(study(tmp_path, first)))
    assert [row["status"] for row in rows] == [0, 0, 0, 3]
    assert "accuracy" not in rows[3]
    second = Fake(lambda job: {"accuracy": 0.6})
    rows = study(tmp_path, second).compare(members(study(tmp_path, second)))
    assert second.ran == ["b/seed1"]
    assert [row["accuracy"] for row in rows] == [0.5, 0.5, 0.5, 0.6]


def test_other_commands_are_another_run(tmp_path):
    this = study(tmp_path, Fake(lambda job: {}))
    this.compare(members(this, ("a",), 1))
    changed = this.member("a", "procedural_small:smoke", ["optim.lr=9.0"], measured=MEASURED)
    assert not runs.finished(changed.job)
    assert runs.finished(members(this, ("a",), 1)[0].job)


def test_a_study_cut_off_goes_on_where_it_was(tmp_path):
    class Killed(Exception):
        pass

    done = []

    def dying(jobs):
        for pair in Fake(lambda job: {"accuracy": 0.5})(jobs):
            if len(done) == 2:
                raise Killed
            done.append(pair[0].name)
            yield pair

    with pytest.raises(Killed):
        study(tmp_path, dying).compare(members(study(tmp_path, dying)))
    rest = Fake(lambda job: {"accuracy": 0.5})
    study(tmp_path, rest).compare(members(study(tmp_path, rest)))
    assert sorted(done + rest.ran) == ["a/seed0", "a/seed1", "b/seed0", "b/seed1"]


def test_scores_are_gathered_under_their_prefixes_and_undefined_ones_are_nan(tmp_path):
    this = study(tmp_path, Fake(lambda job: {"accuracy": 0.25 * seed_of(job), "auroc": None, "split": "test"}))
    rows = this.compare(members(this, ("a",), 2))
    assert [row["accuracy"] for row in rows] == [0.0, 0.25]
    assert rows[1]["other/accuracy"] == 0.25
    assert math.isnan(rows[0]["auroc"])


def test_two_runs_of_one_name_are_refused(tmp_path):
    this = study(tmp_path, Fake(lambda job: {}))
    with pytest.raises(BadInput, match="'a/seed0' twice"):
        this.compare(members(this, ("a", "a"), 1))


def test_if_none_ended_well_the_first_log_is_named(tmp_path):
    this = study(tmp_path, Fake(lambda job: {}, failing=("a/seed0",)))
    with pytest.raises(BadInput, match=r"every run failed, the first with exit status 3; see .*log\.txt"):
        summary.require_some(this.compare(members(this, ("a",), 1)), "a study")


def test_folders_have_plain_names():
    assert runs.slug("real + cgan ×1, filtered") == "real_+_cgan_x1,_filtered"
    assert "/" not in runs.slug("a/b: c")


def test_mean_deviation_and_number_over_seeds(tmp_path):
    this = study(tmp_path, Fake(lambda job: {"accuracy": (0.5, 0.6, 0.1)[seed_of(job)]}, failing=("a/seed2",)))
    rows = this.compare(members(this, ("a",), 3))
    mean, deviation, n = summary.spread(rows, "accuracy")
    assert (mean, n) == (pytest.approx(0.55), 2)
    assert deviation == pytest.approx(0.05 * math.sqrt(2))
    (line,) = summary.table(rows, {"accuracy, %": "accuracy", "absent": "nothing"})
    assert line == {"trained on": "a", "accuracy, %": "55.0 ± 7.1", "absent": None, "runs": "2 of 3"}
    failed = [{"failed": "a/seed2", "exit status": 3, "log": "runs/a/seed2/log.txt"}]
    assert summary.failures(this.failed, tmp_path) == failed


def test_a_single_run_has_its_interval():
    rows = [{"arm": "a", "status": 0, "ece": 0.02, "ece.low": 0.01, "ece.high": 0.04}]
    assert summary.text(rows, "ece", 100.0) == "2.0 [1.0, 4.0]"
    assert summary.text(rows, "ece", digits=3) == "0.020 [0.010, 0.040]"


def test_every_figure_of_every_run_is_in_the_csv(tmp_path):
    scores = {"accuracy": 0.5, "accuracy.low": 0.4, "confusion/a/b": 3, "n/happy": 7, "n": 9, "recall/happy": 0.1}
    this = study(tmp_path, Fake(lambda job: scores))
    rows = this.compare(members(this, ("a",), 2))
    text = summary.write_csv(tmp_path / "runs.csv", rows).read_text().splitlines()
    assert text[0] == "arm,seed,status,run,accuracy,n,recall/happy,other/accuracy,other/n,other/recall/happy"
    assert text[2] == "a,1,0,runs/a/seed1,0.5,9,0.1,0.5,9,0.1"


def test_an_unknown_study_is_refused(tmp_path):
    config = configs.load("transfer:smoke", ["study=absent"])
    with pytest.raises(BadInput, match="expected the name of a file in fergen/studies"):
        runs.run(config, tmp_path, execute=Fake(lambda job: {}))


def test_a_folder_serves_one_study_at_a_time(tmp_path):
    from fergen.train.checkpoints import locked

    with locked(tmp_path), pytest.raises(BadInput, match="another run is at work here"):
        runs.run(configs.load("transfer:smoke"), tmp_path, execute=Fake(lambda job: {}))


def test_reports_keep_the_table_as_json(tmp_path):
    config = configs.load("ablation:smoke")
    execute = Fake(lambda job: {"accuracy": 0.5, "macro_f1": 0.25, "ece": 0.1})
    outcome = runs.run(config, tmp_path, execute=execute, quiet=True)
    kept = json.loads((tmp_path / "report.json").read_text())
    assert kept["table"] == outcome.scores["table"]
    assert [row["accuracy"] for row in kept["table"]] == ["0.500"] * 4
    assert kept["failed"] == []


def test_an_executor_that_only_prints_ends_the_study_well(tmp_path):
    this = study(tmp_path, lambda jobs: iter(()))
    with pytest.raises(runs.Printed, match="2 runs were said, not run") as ended:
        this.compare(members(this, ("a",), 2))
    assert ended.value.status == 0


def test_one_run_of_several_has_a_figure_with_its_own_interval():
    undefined = {"arm": "a", "status": 0, "ece": math.nan, "ece.low": 0.1, "ece.high": 0.2}
    own = {"arm": "a", "status": 0, "ece": 0.5, "ece.low": 0.4, "ece.high": 0.6}
    assert summary.text([undefined, own], "ece") == "0.5 [0.4, 0.6]"


def test_steps_of_zero_leave_each_config_its_own_length(tmp_path):
    config = configs.load("benchmark:smoke", ["steps=7"])
    this = Study(config, tmp_path, Fake(lambda job: {}))
    assert this.fields[:2] == (f"data.name={config.data}", "steps=7")
    config = configs.load("benchmark:smoke", ["steps=0"])
    assert not any(field.startswith("steps=") for field in Study(config, tmp_path, Fake(lambda job: {})).fields)


def test_where_all_are_needed_one_that_failed_ends_the_study(tmp_path):
    this = study(tmp_path, Fake(lambda job: {}, failing=("b/seed0",)))
    with pytest.raises(BadInput, match=r"b failed with exit status 3, and all are needed; see .*log\.txt"):
        summary.require_all(this.compare(members(this, ("a", "b"), 1)), "folds")
