"""`fergen prepare` as a user meets it: a table and status 0, or one line and status 2."""

import pytest

from fergen import main
from fergen.commands import prepare as command
from fergen.data import dataset


def test_audit_is_printed_and_the_second_time_nothing_is_done(fer_csv, tmp_path, capsys):
    arguments = ["prepare", "fer2013", "--from", str(fer_csv), "--root", str(tmp_path / "root"), "--quiet"]
    assert main.main(arguments) == 0
    first = capsys.readouterr().out
    assert "validation" in first
    assert "prepared" in first.splitlines()[-1]
    assert main.main(arguments) == 0
    again = capsys.readouterr().out
    assert again.splitlines()[:-1] == first.splitlines()[:-1]
    assert again.splitlines()[-1].endswith("nothing done")
    assert main.main([*arguments, "--splits=official"]) == 0
    assert "prepared" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["fer2013"],
        ["fer2013", "--from", "absent.csv"],
        ["fer2014", "--from", "absent.csv"],
        ["fer2013", "--from", "FER", "--splits=mine"],
        ["fer2013", "--from", "FER", "--size=64"],
        ["fer2013", "--from", "FER", "--ferplus=absent.csv"],
        ["fer2013", "--from", "FER", "--name=../x"],
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments, fer_csv, tmp_path, capsys):
    arguments = [str(fer_csv) if a == "FER" else a for a in arguments]
    assert main.main(["prepare", *arguments, "--root", str(tmp_path / "root"), "--quiet"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("fergen: ")
    assert shown.err.count("\n") == 1
    assert not list((tmp_path / "root").glob("*"))


def test_help_teaches(capsys):
    with pytest.raises(SystemExit) as ended:
        main.main(["prepare", "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    for said in ("fergen prepare fer2013 --from", "--ferplus", "--splits", "$FERGEN_DATA", "audit"):
        assert said in shown


def test_show_draws_every_split_and_class(fer, fer_csv, tmp_path, capsys):
    from PIL import Image

    root = tmp_path / "root"
    arguments = ["prepare", "fer2013", "--from", str(fer_csv), "--root", str(root), "--quiet", "--show"]
    assert main.main(arguments) == 0
    train = dataset.load("fer2013", "train", root=root)
    present = {train.spec.classes[i] for i in train.labels}
    want = {f"{s}.png" for s in train.spec.splits} | {f"augmented_{name}.png" for name in present}
    folder = root / "fer2013" / "sheets"
    assert {p.name for p in folder.iterdir()} == want
    for path in folder.iterdir():
        with Image.open(path) as image:
            assert image.width > command.VERSIONS * 48
    assert capsys.readouterr().out.count("wrote ") == len(want)
