"""Vocabularies: no label is ever renumbered silently."""

import numpy as np
import pytest

from fergen.core.errors import BadInput
from fergen.data.vocabulary import SYNONYMS, VOCABULARIES, canonical, classes_of, is_known, mapping, name_of


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("happiness", "happy"),
        ("Anger", "angry"),
        (" SURPRISED ", "surprise"),
        ("fearful", "fear"),
        ("sadness", "sad"),
        ("Contempt", "contempt"),
        ("no_expression", "neutral"),
    ],
)
def test_synonyms(said, meant):
    assert canonical(said) == meant


def test_no_synonym_means_two_things():
    names = [name for canonical_name, others in SYNONYMS.items() for name in (canonical_name, *others)]
    assert len(names) == len(set(names))
    assert set(SYNONYMS) == set(VOCABULARIES["eight"])


def test_unknown_names():
    assert not is_known("bored")
    with pytest.raises(BadInput, match="'bored'"):
        canonical("bored")
    with pytest.raises(BadInput, match="five, seven, eight"):
        classes_of("six")


def test_ids_are_those_of_the_sources():
    assert VOCABULARIES["seven"][3] == "happy"  # FER2013
    assert [VOCABULARIES["eight"].index(c) for c in ("neutral", "sad", "angry", "contempt")] == [
        0,
        2,
        6,
        7,
    ]  # AffectNet
    assert name_of(["angry", "happy", "sad", "surprise", "neutral"]) == "five"
    assert name_of(["cat", "dog"]) is None


@pytest.mark.parametrize("a", VOCABULARIES)
@pytest.mark.parametrize("b", VOCABULARIES)
def test_maps_keep_names(a, b):
    source, target = VOCABULARIES[a], VOCABULARIES[b]
    for name, to in zip(source, mapping(source, target)):
        assert (target[to] == name) if to >= 0 else (name not in target)


def test_maps_resolve_synonyms():
    np.testing.assert_array_equal(mapping(["anger", "Happiness", "bored"], ["happy", "angry"]), [1, 0, -1])
