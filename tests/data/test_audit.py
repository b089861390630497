"""The audit's figures against closed forms, and its printed table against its figures."""

import numpy as np

from fergen.data import audit


def test_statistics_are_exact_and_per_channel():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (50, 6, 5, 3), np.uint8)
    images[..., 2] = 255
    statistics = audit.PixelStatistics(3)
    for part in np.array_split(images, 4):
        statistics.add(part)
    mean, std = statistics.mean_std()
    floats = images.astype(np.float64) / 127.5 - 1
    np.testing.assert_allclose(mean, floats.mean(axis=(0, 1, 2)), atol=1e-12)
    np.testing.assert_allclose(std, floats.std(axis=(0, 1, 2)), atol=1e-12)
    assert std[2] == 0


def digests(text):
    return np.array([c.encode() for c in text], "S16").view("V16")


def test_twins_and_conflicts():
    #            a a a b b c d  <- equal letters are equal images
    found = digests("aaabbcd")
    split = np.array(["train", "train", "test", "test", "test", "train", "validation"])
    twins = audit.twins(found, split, ["train", "validation", "test"])
    assert twins["within"]["train"] == {"groups": 1, "images": 2, "surplus": 1}
    assert twins["within"]["test"] == {"groups": 1, "images": 2, "surplus": 1}
    assert twins["across"]["train~test"] == {"train": 2, "test": 1}
    assert twins["across"]["train~validation"] == {"train": 0, "validation": 0}
    torn = audit.conflicts(found, np.array([0, 0, 1, 2, 2, 0, 0]), np.arange(10, 17))
    assert torn == {"groups": 1, "images": 3, "ids": [10, 11, 12]}


def test_agreement():
    label, ferplus = np.array([0, 0, 0, 1, 1]), np.array([0, 1, -1, 1, -1])
    found = audit.agreement(label, ferplus, ["angry", "happy", "sad"])
    assert found["rows"] == 3
    assert np.isclose(found["agree"], 2 / 3)
    assert found["by_class"]["angry"] == {"rows": 2, "agree": 0.5}
    assert found["by_class"]["happy"] == {"rows": 1, "agree": 1.0}
    assert found["by_class"]["sad"] == {"rows": 0, "agree": None}


def test_table_says_what_was_found():
    report = audit.findings(
        digests=digests("aabc"),
        label=np.array([0, 1, 1, 1]),
        split=np.array(["train", "train", "train", "test"]),
        ids=np.arange(4),
        constant=np.array([False, False, True, False]),
        classes=["sad", "happy"],
        ferplus=np.array([0, 0, -1, 1]),
    )
    report |= {
        "image_shape": (8, 8, 1),
        "mean": (0.25,),
        "std": (0.5,),
        "unreadable": {"images": 3},
        "dropped": {"label 9 (uncertain)": 12},
        "notes": ["a note"],
    }
    lines = audit.table(report).splitlines()
    assert lines[0].split() == ["train", "test", "all"]
    assert lines[1].split() == ["sad", "1", "0", "1"]
    assert lines[2].split() == ["happy", "2", "1", "3"]
    assert lines[3].split() == ["all", "3", "1", "4"]
    text = "\n".join(lines)
    for said in ("mean +0.2500, std +0.5000", "3 of 4 images", "1 groups of identical pixels carry different",
                 "1 images of a single value", "3 images left out", "12 rows: label 9 (uncertain)", "a note",
                 "train: majority agrees on 50.0 % of 2 rows"):  # fmt: skip
        assert said in text
