"""How many faces of each emotion a synthetic set is to hold."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fergen.core.errors import BadInput
from fergen.core.shares import apportion
from fergen.data import dataset
from fergen.data.sources.synthetic import UNLABELLED
from fergen.data.vocabulary import mapping
from fergen.train.faces import chosen, emotions


def targets(
    spec: Mapping[str, Any],
    n: int,
    *,
    classes: Sequence[str] | None = None,
    like: str | None = None,
) -> dict[str, int]:
    """Share n faces out among emotions.

    Args:
        spec: of the generator.
        n: faces in all, at least 1.
        classes: emotions, synonyms among them; None is all that the generator knows.
        like: a prepared set: in the shares of its train split, rather than evenly.

    Returns:
        class -> faces, classes without any left out. Of a generator that is unconditional and has learned from several
        emotions, all are `fergen.data.sources.synthetic.UNLABELLED`.

    Raises:
        BadInput: an emotion that the generator does not know, or a set that has none of those asked for.
    """
    if n < 1:
        raise BadInput(f"expected at least 1 face to generate, found {n}")
    if not emotions(spec) and classes is None and like is None:
        return {UNLABELLED: n}
    names = chosen(spec, classes)
    weights = np.ones(len(names), np.int64)
    if like is not None:
        split = dataset.load(like, "train", images=False)
        label = mapping(split.spec.classes, names)[split.labels]
        weights = np.bincount(label[label >= 0], minlength=len(names))
        if not weights.any():
            wanted = ", ".join(names) or "unlabelled faces: the generator is unconditional"
            raise BadInput(f"the set '{like}' has {', '.join(split.spec.classes)}, and none of what is asked: {wanted}")
    return {name: int(share) for name, share in zip(names, apportion(n, weights)) if share}


def stated(spec: Mapping[str, Any], counts: Mapping[str, int]) -> dict[str, int]:
    """Return counts that a user stated, class by class, in the classes of a generator.

    Raises:
        BadInput: an emotion that the generator does not know, or a count below 1.
    """
    for name, n in counts.items():
        if n < 1:
            raise BadInput(f"expected at least 1 face of {name}, found {n}")
    return dict(zip(chosen(spec, list(counts)), counts.values()))
