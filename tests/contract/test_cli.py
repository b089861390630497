"""The console command: every verb teaches itself, and what it does not know it says."""

import shlex
import subprocess
import sys

import pytest

import fergen
from fergen import main
from fergen.core.errors import BadInput, FergenError, NonFinite, Preempted

VERBS = main.verbs()


@pytest.mark.parametrize("argv", [[], ["--help"], ["-h"], ["help"]])
def test_help_lists_every_verb(argv, capsys):
    assert main.main(argv) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    for verb in VERBS:
        assert f"\n  {verb:<10} {main.help_of(verb)}\n" in shown.out
    assert set(VERBS) >= {"prepare", "train", "eval", "predict", "sample", "bench", "convert", "study"}


def test_version(capsys):
    assert main.main(["--version"]) == 0
    assert capsys.readouterr().out == f"fergen {fergen.__version__}\n"


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_teaches_itself(verb, capsys):
    with pytest.raises(SystemExit) as ended:
        main.main([verb, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert shown.out.startswith(f"usage: fergen {verb} ")
    assert f"\n  fergen {verb} " in shown.out, "examples that can be copied"
    assert "\n" not in main.help_of(verb)
    assert not main.help_of(verb).endswith(".")


@pytest.mark.parametrize("verb", VERBS)
def test_examples_parse(verb):
    """Every command line in a verb's help is accepted by its own parser."""
    parser, module = main.parser_of(verb)
    examples = [line.strip() for line in module.__doc__.splitlines() if line.startswith(f"  fergen {verb} ")]
    assert examples
    for example in examples:
        words = shlex.split(example.partition("   ")[0])[2:]
        _, rest = parser.parse_known_args(words)
        assert all(text.startswith("--config.") for text in rest), example


def test_unknown_verb(capsys):
    assert main.main(["tarin", "--config=fer2013_small"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == f"fergen: no verb 'tarin'; there are: {', '.join(VERBS)}\n"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["train", "--config=fer2013_small", "--wrkdir=x"], "--wrkdir=x"),
        (["train", "--config=fer2013_small", "config.seed=1"], "config.seed=1"),
        (["train"], "--config"),
        (["predict", "--out=x.csv"], "PATH"),
        (["prepare", "fer2013", "--channels=2"], "--channels"),
        (["eval", "--workdir=x", "--tta=all"], "--tta"),
        (["bench", "--config=fer2013_small", "--seconds=long"], "--seconds"),
        (["convert", "keras", "x"], "keras"),
    ],
)
def test_unknown_flags_and_values(argv, said, capsys):
    with pytest.raises(SystemExit) as ended:
        main.main(argv)
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert said in error.splitlines()[-1]
    assert error.splitlines()[-1].startswith(f"fergen {argv[0]}")


@pytest.mark.parametrize(
    ("error", "status"),
    [(BadInput("a\n  b"), 2), (NonFinite("a b"), 3), (Preempted("a b"), 75), (FergenError("a b"), 1)],
)
def test_exit_statuses(error, status, monkeypatch, capsys):
    def fails(args):
        raise error

    monkeypatch.setattr("fergen.commands.train.run", fails)
    assert main.main(["train", "--config=fer2013_small"]) == status
    assert capsys.readouterr().err == "fergen: a b\n"


def test_done_is_zero_and_overrides_reach_the_verb(monkeypatch):
    seen = []
    monkeypatch.setattr("fergen.commands.train.run", lambda args: seen.append(args.overrides))
    assert main.main(["train", "--config=x", "--config.seed=1", "--quiet", "--config.optim.lr=0.1"]) == 0
    assert seen == [["seed=1", "optim.lr=0.1"]]


def test_the_process_ends_with_the_status():
    done = subprocess.run(
        [sys.executable, "-m", "fergen.main", "train", "--config=nowhere"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("fergen: --config=nowhere: no such config; fergen train --help lists ")
    assert done.stderr.count("\n") == 1
