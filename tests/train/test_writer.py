"""The line of progress: what it shows of a step's metrics."""

from fergen.core.record import rows
from fergen.train.writer import Writer


def test_the_line_warns_where_augmentation_leaks(tmp_path):
    writer = Writer(tmp_path, tensorboard=False)
    writer.log(1, {"loss": 1.5, "ada_p": 0.0}, every=10)
    assert writer.note() == "loss 1.500"
    writer.log(2, {"loss": 1.5, "ada_p": 0.8}, every=10)
    assert writer.note() == "loss 1.500 ada p 0.80"
    writer.log(3, {"loss": 1.5, "ada_p": 0.81}, every=10)
    assert "ada p 0.81 (above 0.8: its operations leak into generated faces)" in writer.note()


def test_a_row_has_what_was_reported_since_the_last(tmp_path):
    """What a regulariser reports now and then reaches the record, whichever step a row ends at; once."""
    writer = Writer(tmp_path, tensorboard=False)
    for step, metrics in enumerate([{"loss": 1.0, "path": 5.0}, {"loss": 2.0}, {"loss": 3.0}, {"loss": 4.0}], start=1):
        writer.log(step, metrics, every=2)
    found = list(rows(tmp_path / "metrics.jsonl"))
    assert found == [
        {"step": 2, "train/loss": 2.0, "train/path": 5.0},
        {"step": 4, "train/loss": 4.0},
    ]
