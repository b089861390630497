"""The sample order: permutations, random access, balance, hosts."""

import numpy as np
import pytest

from fergen.core.errors import BadInput
from fergen.data import order

LABELS = np.repeat(np.arange(4), [200, 7, 50, 43]).astype(np.int32)
GOLDEN = [0, 2, 9, 1, 8, 5, 4, 3, 6, 7]


def stretch(seed, n, batch, steps, **options):
    return np.concatenate([order.indices(seed, n, batch, s, **options)[0] for s in range(steps)])


def test_each_epoch_is_a_permutation_and_epochs_differ():
    n, batch = 103, 8
    rows = stretch(5, n, batch, 3 * n)[: 8 * n].reshape(8, n)
    np.testing.assert_array_equal(np.sort(rows, 1), np.tile(np.arange(n), (8, 1)))
    assert len({row.tobytes() for row in rows}) == 8
    # No place prefers a row: over 400 epochs the mean row at each place stays within 5 standard errors.
    many = np.stack([order.permutation(0, e, n) for e in range(400)])
    error = np.sqrt((n**2 - 1) / 12 / 400)
    assert np.abs(many.mean(0) - (n - 1) / 2).max() < 5 * error


@pytest.mark.parametrize("balance", [None, LABELS])
def test_random_access_equals_sequential(balance):
    n, batch = len(LABELS), 16
    steps = np.random.default_rng(0).permutation(60)
    alone = {}
    for s in steps:
        for cache in (order.whole, order.of_class, order.dealt):
            cache.cache_clear()
        alone[s] = order.indices(3, n, batch, int(s), balance=balance)[0]
    rows = stretch(3, n, batch, 60, balance=balance)
    np.testing.assert_array_equal(np.concatenate([alone[s] for s in range(60)]), rows)


@pytest.mark.parametrize("balance", [None, LABELS])
@pytest.mark.parametrize("batch", [7, 64, 1000])
def test_blocks_of_steps_equal_single_steps(batch, balance):
    n = len(LABELS)
    block = order.indices(1, n, batch, 3, k=4, balance=balance)
    assert block.shape == (4, batch)
    assert block.dtype == np.int32
    single = [order.indices(1, n, batch, 3 + i, balance=balance)[0] for i in range(4)]
    np.testing.assert_array_equal(block, np.stack(single))


def test_the_sequence_does_not_depend_on_the_batch_size():
    np.testing.assert_array_equal(stretch(2, 50, 10, 12), stretch(2, 50, 24, 5))


def test_seeds_give_different_orders_and_a_known_one():
    first = [order.indices(seed, 1000, 32, 0).tobytes() for seed in (0, 1, -1, 2**40)]
    assert len(set(first)) == 4
    # A golden order: were it to change, resumed runs would see other batches than they would have.
    np.testing.assert_array_equal(order.indices(0, 10, 10, 0)[0], GOLDEN)


def test_balance_draws_classes_uniformly_and_rows_evenly():
    rows = stretch(9, len(LABELS), 30, 400, balance=LABELS)
    assert len(rows) == 12000
    np.testing.assert_array_equal(np.bincount(LABELS[rows]), [3000] * 4)
    for c in range(4):
        times = np.bincount(rows[LABELS[rows] == c], minlength=len(LABELS))[c == LABELS]
        assert times.max() - times.min() <= 1
    # Within a batch the counts differ by at most one per straddled round.
    for part in rows.reshape(400, 30):
        counts = np.bincount(LABELS[part], minlength=4)
        assert counts.max() - counts.min() <= 2
    # The place within a round says nothing about the class.
    places = LABELS[rows].reshape(-1, 4)
    share = np.stack([(places == c).mean(0) for c in range(4)])
    assert np.abs(share - 0.25).max() < 5 * np.sqrt(0.25 * 0.75 / 3000)


def test_balance_skips_classes_that_do_not_occur():
    labels = np.array([2, 2, 2, 5])
    rows = stretch(0, 4, 8, 10, balance=labels)
    np.testing.assert_array_equal(np.bincount(labels[rows], minlength=6), [0, 0, 40, 0, 0, 40])


def test_hosts_together_read_the_global_batch():
    rows = order.indices(4, 500, 24, 7, k=3)
    for hosts in (1, 2, 4):
        parts = [order.host_slice(rows, h, hosts) for h in range(hosts)]
        np.testing.assert_array_equal(np.concatenate(parts, -1), rows)
    with pytest.raises(BadInput, match="24"):
        order.host_slice(rows, 0, 5)


def test_evaluation_sees_each_row_once_and_masks_the_rest():
    n, batch = 21, 8
    assert order.batches(n, batch) == 3
    rows, mask = (np.concatenate(x) for x in zip(*(order.sequential(n, batch, s) for s in range(3)), strict=True))
    np.testing.assert_array_equal(rows[mask == 1], np.arange(n))
    assert mask.sum() == n
    assert len(mask) == 24
    assert mask.dtype == np.float32
    assert (rows[mask == 0] == 0).all()


def test_bad_sizes_are_refused():
    with pytest.raises(BadInput, match="n=0"):
        order.indices(0, 0, 8, 0)
    with pytest.raises(BadInput, match="each of 9 rows, found 8"):
        order.indices(0, 9, 8, 0, balance=np.zeros(8, int))
