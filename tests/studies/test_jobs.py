"""Executors by name: their options are read with their types, and what is none is refused in one line."""

import pytest

from fergen.core.errors import BadInput, Preempted
from fergen.studies import jobs
from fergen.studies.jobs import Job


def mine(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "OPTIONS = {'parallel': 1, 'partition': '', 'share': 0.5}\n"
        "def run(jobs, **options):\n"
        "    for job in jobs:\n"
        "        yield job, options\n"
    )
    return path


def options_of(text, tmp_path):
    ((_, options),) = jobs.executor(text)([Job("a", (), tmp_path)])
    return options


def test_options_have_the_types_of_their_defaults(tmp_path):
    path = mine(tmp_path)
    assert options_of(str(path), tmp_path) == {"parallel": 1, "partition": "", "share": 0.5}
    given = options_of(f"{path}:parallel=3,partition=gpu,share=1", tmp_path)
    assert given == {"parallel": 3, "partition": "gpu", "share": 1.0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("absent", "no such executor; there are: here, local"),
        ("absent.py", "no such executor"),
        (
            "MINE:parallel",
            "of these: parallel=1, partition=, share=0.5; found parallel",
        ),
        ("MINE:threads=2", "found threads=2"),
        ("MINE:parallel=many", "parallel=many: expected int, found str"),
    ],
)
def test_others_are_refused(text, message, tmp_path):
    with pytest.raises(BadInput, match=message):
        jobs.executor(text.replace("MINE", str(mine(tmp_path))))


def test_those_that_ship_are_found():
    assert {"here", "local", "slurm"} <= set(jobs.executors())
    assert "env" not in jobs.executors()


def test_here_a_fault_of_one_run_ends_no_other(tmp_path, monkeypatch):
    def run(command):
        if command[0] == "fault":
            raise ZeroDivisionError
        print("said", *command)
        return int(command[0])

    monkeypatch.setattr("fergen.main.main", run)
    all_jobs = [Job(name, tuple((word,) for word in words), tmp_path / name) for name, words in
                {"a": ["fault"], "b": ["0", "2", "0"], "c": ["0"]}.items()]  # fmt: skip
    assert [(job.name, status) for job, status in jobs.executor("here")(all_jobs)] == [("a", 1), ("b", 2), ("c", 0)]
    assert "ZeroDivisionError" in (tmp_path / "a" / "log.txt").read_text()
    assert (tmp_path / "b" / "log.txt").read_text() == "said 0\nsaid 2\n"
    with pytest.raises(Preempted):
        list(jobs.executor("here")([Job("d", (("75",),), tmp_path / "d")]))
