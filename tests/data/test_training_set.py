"""What a run trains on: shares, parts, added sets and labels that replace a set's own."""

import numpy as np
import pytest

from fergen.core import config as configs
from fergen.core.errors import BadInput
from fergen.data import corrections, dataset, training_set

SET, OTHER = "procedural_n400", "procedural_n200_seed1"


def build(**fields):
    options = configs.load("procedural_small:smoke").data.to_dict() | {"name": SET} | fields
    return training_set.build(options)


def test_as_it_is_by_default():
    train, validation = build()
    whole = dataset.load(SET, "train")
    assert np.array_equal(train.images, whole.images)
    assert np.array_equal(train.labels, whole.labels)
    assert train.spec.lineage == whole.spec.lineage
    assert np.array_equal(validation.labels, dataset.load(SET, "validation").labels)


def test_shares_are_of_every_class_and_less_is_part_of_more():
    whole = np.bincount(build()[0].labels)
    quarter, half = (build(share=share)[0] for share in (0.25, 0.5))
    assert np.abs(np.bincount(quarter.labels) - whole / 4).max() < 1
    assert np.abs(np.bincount(half.labels) - whole / 2).max() < 1
    assert set(quarter.rows["id"]) < set(half.rows["id"])


def test_the_parts_left_out_are_all_rows_once_and_twins_stay_together():
    whole = build()[0]
    left_out = [set(whole.rows["id"]) - set(build(leave_out=f"{i}/5")[0].rows["id"]) for i in range(1, 6)]
    assert sorted(row for part in left_out for row in part) == sorted(whole.rows["id"])
    assert all(len(part) > len(whole) / 10 for part in left_out)
    doubled = dataset.Split(
        whole.spec, "train", np.concatenate([whole.images] * 2), {"label": np.tile(whole.labels, 2)}
    )
    parts = training_set.parts(doubled, 5)
    assert np.array_equal(parts[: len(whole)], parts[len(whole) :])


def test_added_rows_stand_behind_the_sets_own_and_are_in_the_lineage():
    own, (train, validation) = build()[0], build(add=(OTHER,))
    other = dataset.load(OTHER, "train")
    assert len(train) == len(own) + len(other)
    assert np.array_equal(train.images[: len(own)], own.images)
    assert np.array_equal(train.images[len(own) :], other.images)
    assert np.array_equal(validation.images, dataset.load(SET, "validation").images)
    assert train.spec.lineage["data"] == {other.spec.hash: OTHER}
    assert (train.spec.hash, train.spec.mean) == (own.spec.hash, own.spec.mean)


def test_so_many_added_rows_alone_in_the_shares_of_their_classes():
    train, _ = build(add=(f"{OTHER}*70",), share=0.0)
    counts = np.bincount(dataset.load(OTHER, "train").labels)
    assert len(train) == 70
    assert np.abs(np.bincount(train.labels) - 70 * counts / counts.sum()).max() < 1


def test_labels_are_mapped_between_vocabularies():
    dataset.draw_procedural("procedural_n200_five")
    train, _ = build(add=("procedural_n200_five",), share=0.0)
    seven, five = train.spec.classes, dataset.spec_of("procedural_n200_five").classes
    assert {seven[label] for label in np.unique(train.labels)} == set(five)


def test_corrections_change_the_labels_they_name_and_leave_rows_out(tmp_path):
    own = build()[0]
    names = own.spec.classes
    changed = [names[(label + 1) % len(names)] for label in own.labels[:3]]
    path = corrections.write(tmp_path, "labels", own.rows["id"][:4], [*changed, ""])
    train, _ = build(relabel=str(path))
    assert list(train.rows["id"]) == [*own.rows["id"][:3], *own.rows["id"][4:]]
    assert [names[label] for label in train.labels[:3]] == changed
    assert np.array_equal(train.labels[3:], own.labels[4:])
    assert list(train.spec.lineage["data"].values()) == [path.name]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("row,label\n1,happy\n", "expected the columns id, label"),
        ("id,label\n1,joyful\n", "line 2: expected one of"),
        ("id,label\n999999,happy\n", "expected the id of a training row"),
    ],
)
def test_other_files_are_refused_by_line(text, message, tmp_path):
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(BadInput, match=message):
        build(relabel=str(tmp_path / "labels.csv"))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"share": 1.5}, "expected a share in"),
        ({"share": 0.0}, "above 0 unless data.add"),
        ({"leave_out": "6/5"}, "expected PART/PARTS"),
        ({"add": ("absent",)}, "no prepared set 'absent'"),
        ({"add": (f"{OTHER}*many",)}, r"NAME\*N"),
        ({"add": (f"{OTHER}*5000",)}, "expected 5,000 rows"),
        ({"add": ("procedural_n200_64",)}, "expected images of 48x48x1, found 64x64x1"),
        ({"relabel": "absent.csv"}, "expected a CSV file of labels"),
        ({"stream": True, "share": 0.5}, "streamed input reads one split"),
    ],
)
def test_what_cannot_be_is_refused_by_field(fields, message):
    with pytest.raises(BadInput, match=message):
        build(**fields)
