"""Progress says how fast it goes."""

import time

import pytest

from fergen.core.clock import Progress, figure, waiting


@pytest.mark.parametrize(
    ("rate", "text"), [(0.42, "0.4"), (9.94, "9.9"), (9.96, "10"), (12.4, "12"), (12345.6, "12,346")]
)
def test_small_rates_keep_a_decimal(rate, text):
    assert figure(rate) == text


def test_a_slow_start_is_not_printed_as_zero(capsys, monkeypatch):
    progress = Progress(None, label="predict")
    progress.update(2)
    monkeypatch.setattr("time.monotonic", lambda: progress.start + 5)
    progress.close()
    assert capsys.readouterr().err.strip().endswith("predict 2 images in 5 s, 0.4 images/s")


def test_waiting_says_for_what_and_how_long(capsys):
    with waiting("compile", every=0.01):
        time.sleep(0.2)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "compile ..."
    assert set(lines[1:-1]) == {"compile ... 0 s"}
    assert lines[-1] == "compile: 0 s"
    with waiting("compile", quiet=True):
        pass
    assert capsys.readouterr().err == ""
