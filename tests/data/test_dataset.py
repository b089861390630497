"""Reading prepared sets: vocabularies drop with a count, absent sets and splits say what to do."""

import numpy as np
import pytest

from fergen.core.errors import BadInput
from fergen.data import dataset
from fergen.data.ferplus import EMOTIONS, VOTES, majority
from fergen.data.prepare import prepare
from fergen.data.vocabulary import VOCABULARIES, canonical

NAMES = {canonical(name): name for name in EMOTIONS}


@pytest.fixture
def root(fer, fer_csv, tmp_path):
    votes = np.random.default_rng(2).multinomial(10, [0.1] * 10, len(fer.images))
    lines = [",".join(VOTES), *(",".join(map(str, row)) for row in votes)]
    (tmp_path / "votes.csv").write_text("\n".join(lines))
    prepare("fer2013", fer_csv, root=tmp_path / "root", ferplus=tmp_path / "votes.csv", quiet=True)
    return tmp_path / "root"


def test_load_by_name_and_by_path(root):
    by_name = dataset.load("fer2013", "train", root=root)
    by_path = dataset.load(root / "fer2013", "train")
    assert by_name.spec == by_path.spec
    assert len(by_name) == len(by_name.images) == by_name.spec.splits["train"]
    assert isinstance(by_name.images, np.memmap)
    np.testing.assert_array_equal(by_name.index, np.arange(len(by_name)))
    assert by_name.folder == root / "fer2013"


def test_data_root_comes_from_the_environment(root, monkeypatch):
    monkeypatch.setenv("FERGEN_DATA", str(root))
    assert dataset.available() == ["fer2013"]
    assert len(dataset.load("fer2013", "test")) == 5


@pytest.mark.parametrize("vocabulary", ["five", "eight"])
def test_vocabulary_maps_names_and_drops_with_a_count(root, vocabulary):
    own, mapped = (dataset.load("fer2013", "train", root=root, vocabulary=v) for v in (None, vocabulary))
    classes = VOCABULARIES[vocabulary]
    assert mapped.spec.classes == classes
    assert mapped.spec.vocabulary == vocabulary
    names = [own.spec.classes[i] for i in own.labels]
    kept = [i for i, name in enumerate(names) if name in classes]
    assert [classes[i] for i in mapped.labels] == [names[i] for i in kept]
    np.testing.assert_array_equal(mapped.index, kept)
    np.testing.assert_array_equal(mapped.images, own.images[kept])
    lost = [name for name in names if name not in classes]
    assert mapped.dropped == {name: lost.count(name) for name in set(lost)}
    assert len(mapped) + sum(mapped.dropped.values()) == len(own)
    np.testing.assert_array_equal(mapped.rows["ferplus"], majority(own.rows["votes"][kept], classes))
    assert "soft" not in mapped.rows


@pytest.mark.parametrize("labels", ["ferplus", "ferplus_soft"])
@pytest.mark.parametrize("vocabulary", ["five", "seven", "eight"])
def test_ferplus_labels_are_the_votes_in_the_classes_asked_for(root, labels, vocabulary):
    stored = dataset.load("fer2013", "train", root=root)
    voted = dataset.load("fer2013", "train", root=root, vocabulary=vocabulary, labels=labels)
    classes = VOCABULARIES[vocabulary]
    want = majority(stored.rows["votes"], classes)
    kept = np.flatnonzero(want >= 0)  # whatever FER2013's own label is
    assert voted.spec.classes == classes
    np.testing.assert_array_equal(voted.index, kept)
    np.testing.assert_array_equal(voted.labels, want[kept])
    np.testing.assert_array_equal(voted.images, stored.images[kept])
    assert len(voted) + sum(voted.dropped.values()) == len(stored)
    assert all(name.startswith("FER+ ") for name in voted.dropped)
    if labels == "ferplus_soft":
        inside = [VOTES.index(NAMES[name]) for name in classes]
        share = stored.rows["votes"][kept][:, inside].astype(float)
        np.testing.assert_allclose(voted.rows["soft"], share / share.sum(1, keepdims=True), rtol=1e-6)
    else:
        assert "soft" not in voted.rows


def test_contempt_is_among_the_labels_of_eight_classes(root):
    voted = dataset.load("fer2013", "train", root=root, vocabulary="eight", labels="ferplus_soft")
    contempt = voted.spec.classes.index("contempt")
    assert (voted.labels == contempt).any()
    assert (voted.rows["soft"][:, contempt] > 0).sum() > (voted.labels == contempt).sum()


def test_votes_decide_over_rows_whose_own_label_the_vocabulary_lacks(root):
    own = dataset.load("fer2013", "train", root=root)
    voted = dataset.load("fer2013", "train", root=root, vocabulary="five", labels="ferplus")
    theirs = {own.spec.classes[i] for i in own.labels[voted.index]}
    assert theirs - set(VOCABULARIES["five"])


def test_labels_that_there_are_not(root, fer_csv):
    with pytest.raises(BadInput, match="'fer2013': labels 'mine': expected one of own, ferplus"):
        dataset.load("fer2013", "train", root=root, labels="mine")
    prepare("fer2013", fer_csv, name="bare", root=root, quiet=True)
    with pytest.raises(BadInput, match="'bare': labels 'ferplus'.*without FER.* votes.*--ferplus"):
        dataset.load("bare", "train", root=root, labels="ferplus")


def test_images_may_stay_on_disk(root):
    split = dataset.load("fer2013", "train", root=root, vocabulary="five", images=False)
    assert split.images.shape == (0, 48, 48, 1)
    assert len(split) == len(split.index) == len(split.labels)


def test_absence_says_what_there_is(root):
    with pytest.raises(BadInput, match=r"no prepared set 'fer2014'.*there: fer2013.*fergen prepare"):
        dataset.load("fer2014", "train", root=root)
    with pytest.raises(BadInput, match="no split 'dev'; it has: train, validation, public, test"):
        dataset.load("fer2013", "dev", root=root)
    with pytest.raises(BadInput, match="unknown vocabulary 'six'"):
        dataset.load("fer2013", "train", root=root, vocabulary="six")
    with pytest.raises(BadInput, match="no prepared set"):
        dataset.load_or_prepare("fer2013x", "train", root=root)


def test_descriptions_of_other_formats_are_refused(root):
    path = root / "fer2013" / "dataset.json"
    text = path.read_text()
    path.write_text(text.replace('"format": 1', '"format": 99'))
    with pytest.raises(BadInput, match="expected format 1"):
        dataset.load("fer2013", "train", root=root)
    path.write_text(text[:50])
    with pytest.raises(BadInput, match="expected JSON"):
        dataset.load("fer2013", "train", root=root)


def test_names_of_procedural_sets():
    assert dataset.procedural_options("procedural") == {}
    assert dataset.procedural_options("procedural_64_rgb_five_n300_seed2") == {
        "size": 64,
        "channels": 3,
        "vocabulary": "five",
        "count": 300,
        "seed": 2,
    }
    with pytest.raises(BadInput, match="found 'large'"):
        dataset.procedural_options("procedural_large")


def test_which_names_are_of_procedural_faces():
    assert all(map(dataset.is_procedural, ("procedural", "procedural_64_n10")))
    assert not any(map(dataset.is_procedural, ("proceduralist", "sets/procedural", "fer2013")))


def test_procedural_faces_are_drawn_on_first_use(tmp_path):
    with pytest.raises(BadInput, match="no prepared set"):
        dataset.load("procedural_32_n40", "train", root=tmp_path)
    first = dataset.load_or_prepare("procedural_32_n40", "train", root=tmp_path, quiet=True)
    assert first.spec.image_shape == (32, 32, 1)
    assert sum(first.spec.splits.values()) == 40
    assert dataset.available(tmp_path) == ["procedural_32_n40"]
    again = dataset.load_or_prepare("procedural_32_n40", "train", root=tmp_path, quiet=True)
    assert again.spec == first.spec
    np.testing.assert_array_equal(again.images, first.images)
