"""Are generated faces copies of training faces? Their nearest training faces, pixel by pixel."""

from typing import Any

import numpy as np

from fergen.metrics.neighbours import nearest

SHOWN = 5  # neighbours of each face in the picture
SEARCHED = 50_000  # training faces, at most
SIDE = 64  # pixels; larger images are averaged down


def evaluate(
    faces: np.ndarray, train: np.ndarray, held_out: np.ndarray | None, *, shown: np.ndarray | None = None, seed: int = 0
) -> tuple[dict[str, float], dict[str, Any]]:
    """Find the training faces nearest to generated ones.

    A generator that copies has faces much nearer to the training set than held-out faces are. Blurred faces are near to
    everything, so look at the picture too.

    Args:
        faces: generated, uint8 [q, h, w, c].
        train: uint8 [n, h, w, c], may be memory-mapped; a random 50,000 of them are searched, exactly.
        held_out: real faces that were not trained on, uint8 [m, h, w, c].
        shown: int [s], which of the faces are to be in the picture; None for the first 10.
        seed: of the choice among more training faces than are searched.

    Returns:
        Scores: `neighbours/n`, `neighbours/searched`; `neighbours/distance`, the median over faces of the
        root-mean-square difference from the nearest training face, in [0, 255]; where there are held-out faces,
        `floor/neighbours/distance`, theirs, and `neighbours/ratio`, the first over the second.
        Arrays: `neighbours/faces` uint8 [s, h, w, c], `neighbours/nearest` uint8 [s, 5, h, w, c] in rising order, and
        `neighbours/distances` float64 [s, 5].
    """
    rows = np.arange(len(train))
    if len(train) > SEARCHED:
        rows = np.sort(np.random.default_rng(seed).choice(len(train), SEARCHED, replace=False))
    # Left memory-mapped where all are searched.
    searched = train if len(rows) == len(train) else train[rows]
    references = _pixels(searched)
    k = min(SHOWN, len(rows))
    distances, index = nearest(_pixels(faces), references, k)
    distances = distances / np.sqrt(references.shape[1])
    scores = {
        "neighbours/n": len(faces),
        "neighbours/searched": len(rows),
        "neighbours/distance": float(np.median(distances[:, 0])),
    }
    if held_out is not None and len(held_out):
        real = nearest(_pixels(held_out), references, 1)[0] / np.sqrt(references.shape[1])
        scores["floor/neighbours/distance"] = floor = float(np.median(real))
        scores["neighbours/ratio"] = scores["neighbours/distance"] / floor if floor else float("nan")
    shown = np.arange(min(10, len(faces))) if shown is None else shown
    near = np.stack([np.asarray(searched[i]) for i in index[shown].ravel()])
    return scores, {
        "neighbours/faces": faces[shown],
        "neighbours/nearest": near.reshape(len(shown), k, *train.shape[1:]),
        "neighbours/distances": distances[shown],
    }


def _pixels(images: np.ndarray) -> np.ndarray:
    """Return images as rows of numbers, averaged over squares of pixels where they are large."""
    n, height, width, channels = images.shape
    by = -(-max(height, width) // SIDE)
    if by == 1:
        return images.reshape(n, -1)
    height, width = height // by, width // by
    whole = images[:, : height * by, : width * by].reshape(n, height, by, width, by, channels)
    return whole.mean((2, 4), dtype=np.float32).reshape(n, -1)
