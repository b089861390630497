"""Twin flags: against the whole training part, whichever split of it the source brings."""

import numpy as np
import pytest

from fergen.data.splits import twins


@pytest.mark.parametrize(
    ("split", "flagged"),
    [
        # The source's own validation is part of training: its rows are not flagged, but flag others.
        ("train validation validation test test test", [False, False, False, True, True, False]),
        # PublicTest is flagged, whatever name it is stored under.
        ("train public public test test test", [False, True, False, True, False, False]),
    ],
)
def test_twins_of_the_training_part(split, flagged):
    digests = np.array([b"a", b"a", b"b", b"a", b"b", b"c"], "V16")
    assert twins(digests, np.array(split.split())).tolist() == flagged
