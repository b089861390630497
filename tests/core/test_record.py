"""The metric record survives kills and is cut back on resume."""

from fergen.core.record import FIRST_STAGE, Record, quality, rows


def test_cut_drops_later_rows_and_a_broken_line(tmp_path):
    record = Record(tmp_path / "m.jsonl")
    for step in (2, 4, 6):
        record.append({"step": step, "loss": 1 / step})
    with record.path.open("a") as f:
        f.write('{"step": 8, "lo')
    assert [r["step"] for r in rows(record.path)] == [2, 4, 6]
    record.cut(4)
    assert [r["step"] for r in rows(record.path)] == [2, 4]
    record.append({"step": 6, "loss": 0.5})
    assert rows(record.path)[-1] == {"step": 6, "loss": 0.5}
    assert record.path.read_text().count("\n") == 3


def test_absent_record_is_empty(tmp_path):
    assert rows(tmp_path / "none.jsonl") == []
    Record(tmp_path / "none.jsonl").cut(3)
    assert not (tmp_path / "none.jsonl").exists()


def test_a_checkpoint_of_a_first_stage_is_never_the_best():
    assert quality({"validation/loss": 2.0}) == -2
    assert quality({"validation/loss": 2.0, "validation/accuracy": 0.5}) == 0.5
    assert quality({"validation/loss": 1.0, FIRST_STAGE: 1.0}) is None
    assert quality({"loss": 1.0}) is None
