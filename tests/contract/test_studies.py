"""What every study promises: it runs to its report, and repeated it does no work twice."""

import json

import pytest

from fergen import main
from tests.contract.test_configs import STUDIES


@pytest.mark.slow
@pytest.mark.parametrize("name", STUDIES)
def test_a_small_study_runs_to_its_report_and_goes_on_where_it_was(name, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FERGEN_DATA", str(tmp_path / "data"))
    argv = ["study", f"--config={name}:smoke", f"--workdir={tmp_path / 'run'}", "--quiet"]
    assert main.main(argv) == 0
    said = capsys.readouterr().out
    assert "control, %" in said
    page = (tmp_path / "run" / "report.html").read_text()
    assert "<img" in page
    assert str(tmp_path) not in page, "a report travels to other machines"
    scores = json.loads((tmp_path / "run" / "scores.json").read_text())
    assert scores["control/n"] > 0

    def trained():
        return {p: p.stat().st_mtime_ns for p in (tmp_path / "run").glob("*/checkpoints/*/meta/metadata")}

    before = trained()
    assert before
    assert main.main(argv) == 0
    assert trained() == before
    again = json.loads((tmp_path / "run" / "scores.json").read_text())
    assert {k: v for k, v in again.items() if "seconds" not in k} == {
        k: v for k, v in scores.items() if "seconds" not in k
    }
