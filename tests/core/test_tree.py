"""Trees by the names of their leaves."""

import jax.numpy as jnp
import numpy as np
import pytest

from fergen.core import keys, lineage, tree
from fergen.core.errors import BadInput
from fergen.tasks.state import Net, State

TREE = {"params": {"a": {"kernel": np.ones((2, 3), np.float32)}, "b": np.zeros(3, np.float32)}}


def test_names_nest_and_count():
    named = tree.leaf_names(TREE)
    assert list(named) == ["params/a/kernel", "params/b"]
    assert tree.nest(named).keys() == TREE.keys()
    assert tree.nest(named)["params"]["a"]["kernel"] is named["params/a/kernel"]
    assert tree.count(TREE) == 9


def test_state_leaves_have_names():
    state = State(jnp.zeros(()), {"g": Net({"w": jnp.ones(2)}, {}, (jnp.zeros(1),))}, {"ada_p": jnp.zeros(())})
    assert list(tree.leaf_names(state)) == ["step", "nets/g/params/w", "nets/g/opt_state/0", "scalars/ada_p"]


def test_hash_sees_names_values_and_types():
    other = {"params": {"a": {"kernel": np.ones((2, 3), np.float32)}, "c": np.zeros(3, np.float32)}}
    changed = {"params": {"a": {"kernel": np.ones((2, 3), np.float32)}, "b": np.ones(3, np.float32)}}
    typed = {"params": {"a": {"kernel": np.ones((2, 3), np.float32)}, "b": np.zeros(3, np.int32)}}
    assert len({tree.tree_hash(t) for t in (TREE, other, changed, typed)}) == 4


def test_nonfinite_names_the_leaf():
    assert tree.nonfinite(TREE) == []
    assert tree.nonfinite({"x": np.array([1, 2]), "y": {"z": np.array([1.0, np.inf])}}) == ["y/z"]


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({"params": {"a": {"kernel": np.ones((2, 4), np.float32)}, "b": np.zeros(3, np.float32)}},
         r"a/kernel: expected float32\[2, 3\], found float32\[2, 4\]"),
        ({"params": {"a": {"kernel": np.ones((2, 3), np.float32)}}}, "params/b is missing"),
        ({"params": {**TREE["params"], "extra": np.zeros(1)}}, "params/extra is not in this model"),
    ],
)  # fmt: skip
def test_require_same_names_the_first_difference(found, message):
    tree.require_same(TREE, TREE, "weights")
    with pytest.raises(BadInput, match=message):
        tree.require_same(found, TREE, "weights")


def test_named_keys_are_stable_and_distinct():
    import jax

    key = jax.random.key(0)
    seen = {tuple(jax.random.key_data(keys.named(key, n)).tolist()) for n in ("augment", "dropout", "noise")}
    assert len(seen) == 3
    # The fold of a name is fixed for good: a resumed run of an older version draws the same numbers.
    assert (
        jax.random.key_data(keys.named(key, "augment")).tolist()
        == jax.random.key_data(jax.random.fold_in(key, 3944118809)).tolist()
    )


def test_lineage_is_transitive_and_ordered():
    data = lineage.of_data("fer2013", "d1")
    judge = lineage.of_weights("judge", "w1", data)
    both = lineage.merge(judge, lineage.of_weights("guide", "a0", lineage.of_data("rafdb", "c7")))
    assert both == {"weights": {"a0": "guide", "w1": "judge"}, "data": {"c7": "rafdb", "d1": "fer2013"}}
    assert list(both["weights"]) == ["a0", "w1"]
