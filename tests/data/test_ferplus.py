"""FER+ votes: aligned by row, counted, and turned into labels of a vocabulary."""

import numpy as np
import pytest

from fergen.core.errors import BadInput
from fergen.data import ferplus
from fergen.data.sources import fer2013
from fergen.data.vocabulary import VOCABULARIES

SEVEN = VOCABULARIES["seven"]


def votes(**counts):
    return np.array([[counts.get(name, 0) for name in ferplus.VOTES]], np.uint8)


@pytest.mark.parametrize(
    ("given", "majority", "outcome"),
    [
        (votes(happiness=8, neutral=2), 3, "in the vocabulary"),
        (votes(anger=4, disgust=3, fear=3), 0, "in the vocabulary"),
        (votes(sadness=5, fear=5), -1, "tied"),
        (votes(contempt=9, neutral=1), -1, "outside the vocabulary"),
        (votes(unknown=6, neutral=4), -1, "unknown or no face"),
        (votes(NF=10), -1, "unknown or no face"),
        (votes(), -1, "without votes"),
    ],
)
def test_majority(given, majority, outcome):
    assert ferplus.majority(given, SEVEN)[0] == majority
    assert ferplus.outcome(given, SEVEN) == [outcome]


def test_soft_labels():
    table = np.concatenate(
        [votes(happiness=6, neutral=2, contempt=2), votes(NF=10), votes(contempt=10), votes(unknown=6, sadness=4)]
    )
    soft = ferplus.soft_labels(table, np.array([0, 1, 2, 5]), SEVEN)
    np.testing.assert_allclose(soft[0], [0, 0, 0, 0.75, 0, 0, 0.25])
    np.testing.assert_array_equal(soft[1:], np.eye(7)[[1, 2, 5]])
    assert soft.dtype == np.float32


def table_of(fer, header="Usage,Image name," + ",".join(ferplus.VOTES), names=True):
    rng = np.random.default_rng(1)
    counts = rng.multinomial(10, [0.1] * 10, len(fer.images))
    lines = [header]
    for i, (usage, row) in enumerate(zip(fer.usage, counts)):
        # The official file leaves the name of rows without a face empty, and names others out of order.
        name = "" if i % 5 == 0 else f"fer{len(counts) - i:07d}.png"
        lines.append(f"{usage},{name},{','.join(map(str, row))}" if names else f"0,{','.join(map(str, row))},{usage}")
    return "\n".join(lines) + "\n", counts


def test_official_file_aligns_by_row(fer, fer_csv, tmp_path):
    text, counts = table_of(fer)
    (tmp_path / "fer2013new.csv").write_text(text)
    rows = fer2013.read(fer_csv, ferplus=tmp_path / "fer2013new.csv", quiet=True)
    np.testing.assert_array_equal(rows.extras["votes"], counts)
    np.testing.assert_allclose(rows.extras["soft"].sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(rows.extras["ferplus"], ferplus.majority(rows.extras["votes"], SEVEN))


def test_votes_beside_emotion_and_usage(fer, fer_csv, tmp_path):
    text, counts = table_of(fer, header="emotion," + ",".join(ferplus.VOTES) + ",Usage", names=False)
    (tmp_path / "v.csv").write_text(text)
    rows = fer2013.read(fer_csv, ferplus=tmp_path / "v.csv", quiet=True)
    np.testing.assert_array_equal(rows.extras["votes"], counts)


def test_faults_say_where(fer, fer_csv, tmp_path):
    text, _ = table_of(fer)
    lines = text.splitlines(keepends=True)
    faults = {
        "expected 51 rows of votes.*found 50": "".join(lines[:-1]),
        "row 0: expected Usage training.*found PublicTest": text.replace("Training", "PublicTest", 1),
        "NF missing": text.replace("NF", "XX"),
        "row 2 .*ten vote counts.*'Training,fer": "".join(lines[:3]) + lines[3].rsplit(",", 1)[0] + ",x\n",
        "row 0 .*ten vote counts": lines[0] + "Training,a,1,2\n",
        "row 1 .*ten vote counts": "".join(lines[:2]) + "Training,a,300,0,0,0,0,0,0,0,0,0\n",
        "found: an empty file": "",
    }
    path = tmp_path / "votes.csv"
    for said, content in faults.items():
        path.write_text(content)
        with pytest.raises(BadInput, match=said):
            fer2013.read(fer_csv, ferplus=path, quiet=True)
