"""Distances between generated and real faces in a feature space, and the floor that real faces set.

Two samples of the same distribution are not at distance 0 by every measure. So beside each figure of the generated
faces against the training faces stands that of real held-out faces against the same training faces.
"""

from collections.abc import Sequence

import numpy as np

from fergen.evals.features import Gathered, enough
from fergen.metrics import frechet
from fergen.metrics.kernel import kernel_distance
from fergen.metrics.manifold import NEIGHBOURS, manifold


def compare(
    space: str, faces: Gathered, train: Gathered, classes: Sequence[str], *, resamples: int = 200, seed: int = 0
) -> dict[str, float]:
    """Measure how far a set of faces is from the training faces.

    Args:
        space: name of the feature space.
        faces: generated faces, or held-out ones for the floor.
        train: as many training faces, of the same shares of classes.
        classes: names of the classes that the faces are sorted by; none for a generator without classes.
        resamples: of the bootstrap behind `.sd`.
        seed: of the resamples.

    Returns:
        Of all classes together, at n equal on both sides: `fid/<space>` (where n is at least twice the dimension),
        `kid/<space>` and its `.sd`, `precision/<space>`, `recall/<space>`, `density/<space>`, `coverage/<space>`
        (k = 5). Per class: `kid/<space>/<class>` and its `.sd` (unbiased, hence at the n that each side has),
        `fid/<space>/<class>` where there are enough faces, `diversity/<space>/<class>`, the mean squared distance
        within the class over the training faces', and its mean over classes, `diversity/<space>`. A figure is left out
        where a side has too few faces.
    """
    scores: dict[str, float] = {}
    n, wide = min(faces.moments.n, train.moments.n), len(train.moments.sums)
    if enough(n, wide):
        scores[f"fid/{space}"] = frechet.between(faces.moments, train.moments)
    if n > NEIGHBOURS:
        ours, theirs = faces.mixed(), train.mixed()
        scores |= _kernel(f"kid/{space}", ours, theirs, resamples, seed)
        scores |= {f"{name}/{space}": value for name, value in manifold(theirs, ours)._asdict().items()}
    ratios = {}
    for c, name in enumerate(classes):
        if min(faces.spreads[c].n, train.spreads[c].n) < 2:
            continue
        scores |= _kernel(f"kid/{space}/{name}", faces.of(c), train.of(c), resamples, seed)
        ours, theirs = faces.of_class[c], train.of_class[c]
        if ours is not None and theirs is not None:
            scores[f"fid/{space}/{name}"] = frechet.between(ours, theirs)
        real = train.spreads[c].diversity()
        ratios[name] = faces.spreads[c].diversity() / real if real > 0 else float("nan")
    scores |= {f"diversity/{space}/{name}": ratio for name, ratio in ratios.items()}
    if ratios:
        scores[f"diversity/{space}"] = float(np.mean(list(ratios.values())))
    return scores


def _kernel(name: str, ours: np.ndarray, theirs: np.ndarray, resamples: int, seed: int) -> dict[str, float]:
    value, sd = kernel_distance(ours, theirs, resamples=resamples, seed=seed)
    return {name: value, f"{name}.sd": sd}
