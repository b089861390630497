"""The procedural source: rows for `fergen prepare`, drawn lazily, split by number."""

import numpy as np
import pytest

from fergen.core.errors import BadInput
from fergen.data.procedural import faces
from fergen.data.sources import procedural
from fergen.data.vocabulary import VOCABULARIES


def test_splits_are_disjoint_and_complete():
    rows = procedural.read(count=105)
    names, sizes = np.unique(rows.split, return_counts=True)
    assert dict(zip(names.tolist(), sizes.tolist(), strict=True)) == {"train": 85, "validation": 10, "test": 10}
    assert len(rows) == 105 == len(np.unique(rows.id))
    assert rows.classes == VOCABULARIES["seven"]


def test_images_are_those_of_the_numbers_in_id():
    rows = procedural.read(count=40, size=40, channels=3, seed=9, vocabulary="eight")
    drawn = faces.draw(rows.id, size=40, channels=3, seed=9, vocabulary="eight")
    assert rows.images.shape == (40, 40, 40, 3)
    np.testing.assert_array_equal(rows.images[0:15], drawn.images[:15])
    np.testing.assert_array_equal(rows.images[30:40], drawn.images[30:])
    np.testing.assert_array_equal(rows.label, drawn.labels)
    np.testing.assert_array_equal(rows.extras["action_units"], drawn.action_units)


def test_a_larger_set_begins_with_the_smaller():
    small, large = procedural.read(count=50), procedural.read(count=500)
    for split in ("train", "validation", "test"):
        kept = small.id[small.split == split]
        np.testing.assert_array_equal(large.id[large.split == split][: len(kept)], kept)


@pytest.mark.parametrize(
    ("path", "options", "says"),
    [
        ("faces.csv", {}, "drawn, not read"),
        (None, {"count": 3}, "count must be 10 or more"),
        (None, {"size": 300}, "size must be"),
        (None, {"vocabulary": "six"}, "vocabulary must be"),
    ],
)
def test_bad_options_are_one_line(path, options, says):
    with pytest.raises(BadInput, match=says) as caught:
        procedural.read(path, **options)
    assert "\n" not in str(caught.value)
