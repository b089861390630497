"""Progress says how fast it goes."""

import pytest

from fergen.core.clock import Progress, figure


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
