"""Variations of an experiment: grids, random draws, and what a config's sweep() names."""

import textwrap

import numpy as np
import pytest

from fergen import main
from fergen.core.errors import BadInput
from fergen.studies import sweep, variations
from tests.studies.fake_executor import Fake


def test_a_grid_is_every_combination():
    arms = variations.grid(("optim.lr=0.1|0.2", "ema=0.0|0.9"))
    assert list(arms.values()) == [
        ("optim.lr=0.1", "ema=0.0"),
        ("optim.lr=0.1", "ema=0.9"),
        ("optim.lr=0.2", "ema=0.0"),
        ("optim.lr=0.2", "ema=0.9"),
    ]
    assert next(iter(arms)) == "optim.lr=0.1, ema=0.0"


def test_random_draws_are_of_the_seed_and_within_their_ranges():
    fields = ("optim.lr=0.0001..0.1", "batch_size=8|16", "scan=1..4", "ema=0.9..0.99")
    arms = variations.random(fields, 200, seed=3)
    assert arms == variations.random(fields, 200, seed=3)
    assert arms != variations.random(fields, 200, seed=4)
    drawn = [dict(text.split("=") for text in arm) for arm in arms.values()]
    rates = np.log10([float(each["optim.lr"]) for each in drawn])
    assert rates.min() >= -4
    assert rates.max() <= -1
    assert abs(rates.mean() + 2.5) < 0.2, "log-uniform over three decades"
    assert {each["batch_size"] for each in drawn} == {"8", "16"}
    assert {each["scan"] for each in drawn} == {"1", "2", "3", "4"}
    averages = [float(each["ema"]) for each in drawn]
    assert 0.9 <= min(averages) < 0.91 < 0.98 < max(averages) <= 0.99


def test_random_draws_differ_and_end_where_there_are_no_more():
    assert len(variations.random(("batch_size=8|16|32", "ema=0.0|0.9"), 5, 0)) == 5
    assert len(variations.random(("batch_size=8|16",), 8, 0)) == 2


@pytest.mark.parametrize("text", ["optim.lr", "=0.1", "optim.lr="])
def test_other_forms_are_refused(text):
    with pytest.raises(BadInput, match="expected FIELD=VALUE"):
        variations.grid((text,))


def write(tmp_path, body):
    path = tmp_path / "mine.py"
    path.write_text(
        textwrap.dedent(
            """
            from configs import procedural_small

            def get_config(arg=""):
                return procedural_small.get_config("smoke")

            """
        )
        + textwrap.dedent(body)
    )
    return str(path)


def test_a_sweep_trains_what_its_config_names_and_gathers_one_table(tmp_path):
    path = write(
        tmp_path,
        """
        def sweep():
            for rate in (0.1, 0.2):
                yield f"rate {rate}", {"optim.lr": rate}
        """,
    )
    execute = Fake(
        lambda job: {"accuracy": 0.5 + 0.1 * ("0.2" in job.name) + 0.01 * int(job.name[-1])}, "validation.json"
    )
    outcome = sweep.run(path, tmp_path / "out", overrides=["ema=0.5"], seeds=2, executor=execute, quiet=True)
    assert [(row["variation"], row["accuracy"], row["runs"]) for row in outcome.scores["table"]] == [
        ("rate 0.1", "0.505 ± 0.007", "2"),
        ("rate 0.2", "0.605 ± 0.007", "2"),
    ]
    log = (tmp_path / "out" / "runs" / "rate_0.2" / "seed1" / "log.txt").read_text()
    assert "--config.ema=0.5 --config.optim.lr=0.2 --config.seed=1" in log
    assert len((tmp_path / "out" / "runs.csv").read_text().splitlines()) == 5


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "expected a function sweep"),
        ("def sweep():\n    yield 'a'\n", r"expected \(name, {field: value}\)"),
        ("def sweep():\n    yield 'a', {}\n    yield 'a', {}\n", "'a' twice"),
        ("def sweep():\n    yield 'a', {'optim.rate': 1}\n", "optim.rate"),
    ],
)
def test_a_wrong_sweep_is_refused_before_anything_is_trained(body, message, tmp_path):
    execute = Fake(lambda job: {})
    with pytest.raises(BadInput, match=message):
        sweep.run(write(tmp_path, body), tmp_path / "out", executor=execute)
    assert not execute.ran


def test_the_command_names_an_unknown_executor(capsys):
    assert main.main(["sweep", "--config=procedural_small", "--executor=absent"]) == 2
    assert "no such executor; there are:" in capsys.readouterr().err
