"""References to runs: what stands behind the last @ is a step, unless it is part of a folder's name."""

from fergen.train import checkpoints
from fergen.train.restore import parts


def test_a_folder_name_may_hold_an_at(tmp_path):
    for name in ("x", "me@home"):
        (tmp_path / name / checkpoints.FOLDER / "4").mkdir(parents=True)
    plain, odd = str(tmp_path / "x"), str(tmp_path / "me@home")
    assert parts(plain) == (plain, "")
    assert parts(f"{plain}@best") == (plain, "best")
    assert parts(odd) == (odd, "")
    assert parts(f"{odd}@4") == (odd, "4")
    assert parts("fer2013_small") == ("fer2013_small", "")
