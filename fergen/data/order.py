"""The order of samples: a pure function of seed and step, so that a run resumes from its step alone.

Resident and streamed input both ask here, and so see the same batches. Every permutation comes from the raw output
of Philox, a counter-based generator, keyed by (seed, epoch): numpy keeps that output the same for ever, which it does
not promise for `Generator.permutation`.

Reference: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

from functools import lru_cache

import numpy as np

from fergen.core.errors import BadInput

MASK = (1 << 64) - 1
SHUFFLE, DEAL, CLASS = 0, 1, 2  # separate streams of one key
DEAL_ROUNDS = 1024  # rounds of class-balanced drawing that are dealt out at once


def keys(seed: int, epoch: int, stream: int, shape: tuple[int, ...]) -> np.ndarray:
    """Draw uint64 sort keys from Philox keyed by (seed, epoch), its counter starting at the stream's."""
    # An array of uint64, since a list with both small and large numbers would become floats.
    generator = np.random.Philox(key=np.array([seed & MASK, epoch], np.uint64), counter=[0, 0, 0, stream])
    return generator.random_raw(int(np.prod(shape))).reshape(shape)


def permutation(seed: int, epoch: int, n: int, stream: int = SHUFFLE) -> np.ndarray:
    """Return the shuffled row numbers of one epoch, int32 [n]."""
    return np.argsort(keys(seed, epoch, stream, (n,)), kind="stable").astype(np.int32)


# Sequential steps touch at most two epochs of the whole set, and two of each class; the sizes of those sum to 2 n.
whole = lru_cache(maxsize=4)(permutation)
of_class = lru_cache(maxsize=64)(permutation)


@lru_cache(maxsize=4)
def dealt(seed: int, chunk: int, classes: int) -> np.ndarray:
    """Return the class drawn at each place of DEAL_ROUNDS rounds, int [rounds, classes]: each round has every class."""
    return np.argsort(keys(seed, chunk, DEAL, (DEAL_ROUNDS, classes)), axis=1, kind="stable")


@lru_cache(maxsize=4)
def members(labels: bytes) -> tuple[np.ndarray, ...]:
    """Return the rows of every class that occurs, given int32 labels as bytes (arrays cannot be cache keys)."""
    array = np.frombuffer(labels, np.int32)
    return tuple(np.flatnonzero(array == label).astype(np.int32) for label in np.unique(array))


def shuffled(seed: int, n: int, positions: np.ndarray) -> np.ndarray:
    """Return the rows at places of the endless sequence of epoch permutations."""
    out = np.empty(positions.shape, np.int32)
    epochs = positions // n
    for epoch in np.unique(epochs):
        here = epochs == epoch
        out[here] = whole(seed, int(epoch), n)[positions[here] % n]
    return out


def balanced(seed: int, labels: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return the rows at places of the endless class-balanced sequence.

    Its rounds of C places hold every class once, in shuffled order; round r takes the r-th row of each class's own
    endless sequence of permutations, so that no row of a class repeats before all its others were drawn.
    """
    groups = members(np.ascontiguousarray(labels, np.int32).tobytes())
    rounds, places = positions // len(groups), positions % len(groups)
    drawn = np.empty(positions.shape, np.int64)
    chunks = rounds // DEAL_ROUNDS
    for chunk in np.unique(chunks):
        here = chunks == chunk
        drawn[here] = dealt(seed, int(chunk), len(groups))[rounds[here] % DEAL_ROUNDS, places[here]]
    out = np.empty(positions.shape, np.int32)
    for c, rows in enumerate(groups):
        mine = drawn == c
        epochs = rounds[mine] // len(rows)
        picked = np.empty(epochs.shape, np.int32)
        for epoch in np.unique(epochs):
            here = epochs == epoch
            order = of_class(seed, int(epoch), len(rows), CLASS + c)
            picked[here] = rows[order[rounds[mine][here] % len(rows)]]
        out[mine] = picked
    return out


def indices(seed: int, n: int, batch: int, step: int, k: int = 1, balance: np.ndarray | None = None) -> np.ndarray:
    """Return the rows of the batches of steps step, ..., step + k - 1.

    Step s takes places s * batch, ..., (s + 1) * batch - 1 of an endless sequence; a batch may straddle two epochs.
    Any step costs O(k * batch), once its epoch's permutation is there.

    Args:
        seed: any integer.
        n: rows of the split.
        batch: rows of the global batch, over all hosts.
        step: the first step, from 0.
        k: steps per dispatch.
        balance: int [n] labels to draw all classes equally often; None takes each row once per epoch.

    Returns:
        int32 [k, batch], values in [0, n).

    Raises:
        BadInput: an empty split, or sizes that are not positive.
    """
    if min(n, batch, k) < 1 or step < 0:
        raise BadInput(f"expected at least one row, batch and step, found n={n} batch={batch} k={k} step={step}")
    positions = np.arange(step * batch, (step + k) * batch, dtype=np.int64)
    if balance is None:
        rows = shuffled(seed, n, positions)
    else:
        if len(balance) != n:
            raise BadInput(f"expected a label to balance by for each of {n} rows, found {len(balance)}")
        rows = balanced(seed, balance, positions)
    return rows.reshape(k, batch)


def sequential(n: int, batch: int, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of an evaluation batch: every row once, in order, the last batch padded.

    Args:
        n: rows of the split.
        batch: rows of the global batch.
        step: from 0 to `batches(n, batch)` - 1.

    Returns:
        int32 [batch] rows, padding being row 0, and float32 [batch] mask, 0 for padding.
    """
    rows = np.arange(step * batch, (step + 1) * batch, dtype=np.int64)
    inside = rows < n
    return np.where(inside, rows, 0).astype(np.int32), inside.astype(np.float32)


def batches(n: int, batch: int) -> int:
    """Return how many evaluation batches cover n rows."""
    return -(-n // batch)


def host_slice(array: np.ndarray, host: int, hosts: int) -> np.ndarray:
    """Return host's contiguous part of a global batch, along the last axis of [..., batch] rows.

    Raises:
        BadInput: the batch does not divide by the hosts.
    """
    batch = array.shape[-1]
    if batch % hosts or not 0 <= host < hosts:
        raise BadInput(f"expected a batch that {hosts} hosts divide, found {batch} (host {host})")
    part = batch // hosts
    return array[..., host * part : (host + 1) * part]
