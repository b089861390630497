"""Other people's predictions, scored from a CSV file as our own are."""

from types import SimpleNamespace

import numpy as np
import pytest

from fergen.core.errors import BadInput
from fergen.evals import classification, outside

CLASSES = ("angry", "happy")


class Part(SimpleNamespace):
    def __len__(self):
        return len(self.rows["id"])


def split():
    rows = {"id": np.array([7, 3, 5]), "label": np.array([0, 1, 1])}
    return Part(spec=SimpleNamespace(name="faces", classes=CLASSES), name="test", rows=rows, labels=rows["label"])


def test_rows_are_found_by_id_and_classes_by_name_in_any_order(tmp_path):
    path = tmp_path / "theirs.csv"
    path.write_text("happy,anger,id,extra\n0.9,0.1,3,x\n0.2,0.8,5,x\n0.4,0.6,7,x\n0.5,0.5,99,x\n")
    found = outside.read(path, split())
    np.testing.assert_allclose(np.exp(found), [[0.6, 0.4], [0.1, 0.9], [0.8, 0.2]])
    scores = classification.evaluate(found, split(), bootstrap=0)
    assert scores["accuracy"] == pytest.approx(2 / 3)
    assert scores["nll"] == pytest.approx(-np.log([0.6, 0.9, 0.2]).mean())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,angry\n7,1\n", "found no happy"),
        ("angry,happy\n1,0\n", "found no id"),
        ("id,angry,happy\n7,1,0\n3,0,1\n", "none with id 5 and 1 missing"),
        ("id,angry,happy\n7,1,0\n3,0,much\n5,0,1\n", r"line 3: expected a probability in \[0, 1\], found 'much'"),
        ("id,angry,happy\n7,-2.5,0\n", "line 2"),
    ],
)
def test_what_cannot_be_scored_is_refused_by_line(text, message, tmp_path):
    (tmp_path / "theirs.csv").write_text(text)
    with pytest.raises(BadInput, match=message):
        outside.read(tmp_path / "theirs.csv", split())


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(BadInput, match="expected a CSV file of probabilities"):
        outside.read(tmp_path / "absent.csv", split())
