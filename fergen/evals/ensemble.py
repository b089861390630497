"""Several classifiers as one: the average of their probabilities, its members chosen on `validation`."""

from collections.abc import Mapping, Sequence

import numpy as np

from fergen.metrics.calibration import log_softmax, nll


def average(members: Sequence[np.ndarray]) -> np.ndarray:
    """Average members' probabilities.

    Args:
      members: each float [n, C], logits or log-probabilities over the same rows and classes.

    Returns:
      float32 [n, C], log of the average probability.
    """
    each = np.stack([log_softmax(member) for member in members])
    return (np.logaddexp.reduce(each, axis=0) - np.log(len(each))).astype(np.float32)


def select(members: Mapping[str, np.ndarray], labels: np.ndarray) -> list[str]:
    """Choose members by greedy forward selection on the validation split (Caruana et al., 2004, section 2).

    Starts from the member of least negative log-likelihood, and adds the one that lowers the average's most, until
    none does. The likelihood is smoother than accuracy, hence overfits the small split less.

    Args:
      members: name -> float [n, C] logits on `validation`, and on no other split.
      labels: int [n].

    Returns:
      The chosen names in the order of their choice, at least one.
    """
    chosen: list[str] = []
    best = np.inf
    while left := [name for name in members if name not in chosen]:
        scores = {
            name: nll(log_softmax(average([members[m] for m in (*chosen, name)])), labels).mean() for name in left
        }
        name = min(scores, key=scores.__getitem__)
        if scores[name] >= best:
            break
        best = scores[name]
        chosen.append(name)
    return chosen
