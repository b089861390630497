"""Are generated faces nearer to training faces than strangers are? In any space of vectors.

Meehan, Chaudhuri, Dasgupta 2020 (arXiv:2004.05675, section 3): a sample that copies lies nearer to the training set
than fresh real ones do.
"""

import numpy as np

from fergen.metrics.neighbours import nearest

QUANTILE = 0.01


def compare(
    made: np.ndarray, train: np.ndarray, real: np.ndarray, *, k: int = 1, seed: int = 0
) -> tuple[dict[str, float], np.ndarray, np.ndarray]:
    """Compare distances to the nearest training face.

    Args:
        made: generated, float [q, d].
        train: [n, d].
        real: faces that were not trained on, [m, d].
        k: nearest training faces to return.
        seed: of the choice of as many training as held-out faces.

    Returns:
        Scores: the medians over generated and over held-out faces; the percentage of generated faces under the 1 %
        quantile of held-out ones; the percentage that is nearer to a training face than to a held-out one, of as many
        of either, ties counting half; and the number of faces. Then distances and indices into `train`, [q, k] each.
    """
    distance, index = nearest(made, train, k)
    strangers = nearest(real, train, 1)[0][:, 0]
    same = min(len(train), len(real))
    few = np.random.default_rng(seed).permutation(len(train))[:same]
    to_train, to_real = nearest(made, train[few], 1)[0][:, 0], nearest(made, real[:same], 1)[0][:, 0]
    nearer = (to_train < to_real).mean() + 0.5 * (to_train == to_real).mean()
    scores = {
        "median distance": float(np.median(distance[:, 0])),
        "of real held-out faces": float(np.median(strangers)),
        "under the 1 % quantile, %": 100 * float((distance[:, 0] < np.quantile(strangers, QUANTILE)).mean()),
        "nearer to training, %": 100 * float(nearer),
        "faces": len(made),
    }
    return scores, distance, index
