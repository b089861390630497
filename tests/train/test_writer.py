"""The line of progress: what it shows of a step's metrics."""

from fergen.train.writer import Writer


def test_the_line_warns_where_augmentation_leaks(tmp_path):
    writer = Writer(tmp_path, tensorboard=False)
    writer.log(1, {"loss": 1.5, "ada_p": 0.0}, every=10)
    assert writer.note() == "loss 1.500"
    writer.log(2, {"loss": 1.5, "ada_p": 0.8}, every=10)
    assert writer.note() == "loss 1.500 ada p 0.80"
    writer.log(3, {"loss": 1.5, "ada_p": 0.81}, every=10)
    assert "ada p 0.81 (above 0.8: its operations leak into generated faces)" in writer.note()
