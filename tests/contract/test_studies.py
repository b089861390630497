"""What every study promises: it runs to its report, a report that travels, and repeated it does no work twice."""

import json

import pytest

from fergen import main
from tests.contract.test_configs import STUDIES

# The one that stands for all in the default tests: it trains, samples, prepares, trains and measures.
TRAINED = "transfer"
# What a study's main table says.
TABLES = {
    "ablation": "accuracy",
    "balance": "filled by cgan",
    "benchmark": "all seeds averaged",
    "feature_space": "told from real, %",
    "label_quality": "corrected",
    "privacy": "nearer to training, %",
    "quickstart": "control, %",
    "trade_off": "cgan: mismatch 0.5",
    "transfer": "real + cgan",
}


def test_every_study_is_here():
    assert sorted(TABLES) == STUDIES


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name == TRAINED else pytest.mark.slow) for name in STUDIES]
)
def test_a_small_study_runs_to_its_report_and_goes_on_where_it_was(name, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FERGEN_DATA", str(tmp_path / "data"))
    argv = ["study", f"--config={name}:smoke", f"--workdir={tmp_path / 'run'}", "--quiet"]
    assert main.main(argv) == 0
    said = capsys.readouterr().out
    assert TABLES[name] in said
    page = (tmp_path / "run" / "report.html").read_text()
    assert "<img" in page
    assert str(tmp_path) not in page, "a report travels to other machines"
    assert str(tmp_path) not in (tmp_path / "run" / "report.md").read_text()
    found = json.loads((tmp_path / "run" / ("scores.json" if name == "quickstart" else "report.json")).read_text())
    assert found["control/n"] > 0 if name == "quickstart" else found["table"]
    assert not found.get("failed")

    def trained():
        return {p: p.stat().st_mtime_ns for p in (tmp_path / "run").rglob("checkpoints/*/meta/metadata")}

    before = trained()
    assert before
    assert main.main(argv) == 0
    assert trained() == before
    again = capsys.readouterr().out
    assert [line for line in again.splitlines() if "second" not in line] == [
        line for line in said.splitlines() if "second" not in line
    ]
