"""Label vocabularies: the class names, their order, their synonyms, and the maps between them.

Every class name in fergen is canonical; what a user's folders and files call it is resolved here and nowhere else.
A label that a target vocabulary lacks maps to -1: the caller drops such rows and counts them.
"""

from collections.abc import Sequence

import numpy as np

from fergen.core.errors import BadInput

VOCABULARIES: dict[str, tuple[str, ...]] = {
    # The five classes that FER2013 studies keep when they leave out its rarest and its noisiest.
    "five": ("angry", "happy", "sad", "surprise", "neutral"),
    # FER2013's own ids 0-6.
    "seven": ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"),
    # AffectNet's own ids 0-7.
    "eight": ("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry", "contempt"),
}

SYNONYMS: dict[str, tuple[str, ...]] = {
    "angry": ("anger", "mad"),
    "disgust": ("disgusted", "disgusting"),
    "fear": ("fearful", "afraid", "scared", "feared"),
    "happy": ("happiness", "joy", "joyful", "smile", "happily"),
    "sad": ("sadness", "sadly", "unhappy"),
    "surprise": ("surprised", "surprising", "suprise", "suprised", "astonished"),
    "neutral": ("neutrality", "no expression"),
    "contempt": ("contemptuous", "contemptous", "scorn"),
}

_CANONICAL = {name: canonical for canonical, names in SYNONYMS.items() for name in (canonical, *names)}


def canonical(name: str) -> str:
    """Resolve a class name or synonym, in any case, to the canonical name.

    Raises:
        BadInput: no expression goes by that name.
    """
    key = " ".join(name.strip().lower().replace("_", " ").replace("-", " ").split())
    if key not in _CANONICAL:
        raise BadInput(
            f"unknown expression '{name}': expected one of {', '.join(SYNONYMS)} (or a synonym such as "
            "happiness, anger, surprised)"
        )
    return _CANONICAL[key]


def is_known(name: str) -> bool:
    """Whether `canonical` would resolve the name."""
    try:
        canonical(name)
    except BadInput:
        return False
    return True


def classes_of(vocabulary: str) -> tuple[str, ...]:
    """Return a vocabulary's class names in label order.

    Raises:
        BadInput: there is no such vocabulary.
    """
    if vocabulary not in VOCABULARIES:
        raise BadInput(f"unknown vocabulary '{vocabulary}': expected one of {', '.join(VOCABULARIES)}")
    return VOCABULARIES[vocabulary]


def name_of(classes: Sequence[str]) -> str | None:
    """Return the vocabulary whose classes, in order, these are; None for any other list."""
    return next((name for name, known in VOCABULARIES.items() if known == tuple(classes)), None)


def mapping(from_classes: Sequence[str], to_classes: Sequence[str]) -> np.ndarray:
    """Map label ids of one class list to those of another, by canonical name.

    Args:
        from_classes: n names, canonical or synonyms.
        to_classes: m names.

    Returns:
        int32 [n]: for each id of `from_classes`, the id in `to_classes`, or -1 where it has no such class.
    """
    target = {canonical(name) if is_known(name) else name: i for i, name in enumerate(to_classes)}
    names = [canonical(name) if is_known(name) else name for name in from_classes]
    return np.array([target.get(name, -1) for name in names], np.int32)
