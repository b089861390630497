"""The real FER2013, where it is at hand: set FERGEN_FER2013 to its CSV (and FERGEN_FERPLUS to the FER+ votes)."""

import os
import resource
from pathlib import Path

import numpy as np
import pytest

from fergen.data import dataset
from fergen.data.prepare import prepare

CSV, VOTES = (os.environ.get(name) for name in ("FERGEN_FER2013", "FERGEN_FERPLUS"))
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CSV, reason="FERGEN_FER2013 names no CSV")]

# Of the challenge's release, by class in the order of the ids.
PUBLIC = [467, 56, 496, 895, 653, 415, 607]
TRAINING = [3995, 436, 4097, 7215, 4830, 3171, 4965]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    votes = Path(VOTES) if VOTES else None
    return prepare("fer2013", CSV, root=tmp_path_factory.mktemp("real"), ferplus=votes, quiet=True)


def test_counts_are_those_of_the_release(done):
    counts = {split: np.array(list(of.values())) for split, of in done.audit["counts"].items()}
    np.testing.assert_array_equal(counts["public"], PUBLIC)
    np.testing.assert_array_equal(counts["train"] + counts["validation"], TRAINING)
    assert 0.09 < counts["validation"].sum() / 28709 < 0.11


def test_twins_of_public_images(done):
    assert dataset.load(done.folder, "public").rows["twin"].sum() == 280
    across = done.audit["twins"]["across"]
    assert across["train~validation"] == {"train": 0, "validation": 0}
    assert across["train~public"]["public"] + across["validation~public"]["public"] == 280


@pytest.mark.skipif(not VOTES, reason="FERGEN_FERPLUS names no votes")
def test_agreement_with_ferplus(done):
    train = done.audit["ferplus"]["train"]
    assert 0.6 < train["agree"] < 0.7
    by_class = {name: found["agree"] for name, found in train["by_class"].items()}
    assert by_class["happy"] > 0.9
    assert by_class["fear"] < 0.2


def test_memory_stays_under_a_gibibyte(done):
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 1 << 20  # KiB
