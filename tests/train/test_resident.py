"""Resident input on several hosts: each reads its part of the global batch."""

import jax
import numpy as np
import pytest

from fergen.core import mesh as meshes
from fergen.core.errors import BadInput
from fergen.data import dataset, order
from fergen.train.inputs import Resident


def test_a_host_takes_its_part_of_each_batch(tiny_set, monkeypatch):
    source = Resident(dataset.load(tiny_set, "train"), batch=16, seed=3, mesh=meshes.build())
    odd = Resident(dataset.load(tiny_set, "train"), batch=9, seed=3, mesh=meshes.build())
    monkeypatch.setattr(meshes, "place", lambda rows, sharding: rows)
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    monkeypatch.setattr(jax, "process_index", lambda: 1)
    np.testing.assert_array_equal(source.block(5, 2), order.indices(3, 96, 16, 5, 2)[:, 8:])
    with pytest.raises(BadInput, match="2 hosts divide, found 9"):
        odd.block(0, 1)
