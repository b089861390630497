"""Turn emotions into facial action units: which muscles act, how strongly, and how often.

Unit numbers and what each one moves follow Ekman & Friesen, Facial Action Coding System (1978; Ekman, Friesen &
Hager 2002). Which units an emotion uses, and in what share of people, follows the prototypes of Du, Tao & Martinez,
"Compound facial expressions of emotion" (PNAS 2014, Table 1), completed by EMFACS (Friesen & Ekman 1983) for
anger, disgust and the one-sided contempt, and by Kohler et al., "Differences in facial expressions of four
universal emotions" (Psychiatry Research 2004) for raised cheeks in happiness and wide eyes in anger. Shares are
rounded, and raised where a unit is what tells two emotions apart. AU27 (mouth stretch) is the upper end of AU26 and
AU41/42/45 are parts of AU43 here; AU11, AU18, AU22 and AU28 are not drawn.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

UNITS = (
    "AU1",  # inner brow raiser
    "AU2",  # outer brow raiser
    "AU4",  # brow lowerer
    "AU5",  # upper lid raiser
    "AU6",  # cheek raiser
    "AU7",  # lid tightener
    "AU9",  # nose wrinkler
    "AU10",  # upper lip raiser
    "AU12",  # lip corner puller
    "AU14",  # dimpler
    "AU15",  # lip corner depressor
    "AU16",  # lower lip depressor
    "AU17",  # chin raiser
    "AU20",  # lip stretcher
    "AU23",  # lip tightener
    "AU24",  # lip pressor
    "AU25",  # lips part
    "AU26",  # jaw drop
    "AU43",  # eyes closed
)


class Use(NamedTuple):
    """How an emotion uses a unit: the share of faces that show it, and its strength in a full expression."""

    share: float
    strength: float


PROTOTYPES: dict[str, dict[str, Use]] = {
    "angry": {
        "AU4": Use(1.0, 1.0),
        "AU7": Use(0.85, 0.8),
        "AU5": Use(0.45, 0.7),
        "AU23": Use(0.6, 0.9),
        "AU24": Use(0.6, 0.9),
        "AU17": Use(0.5, 0.6),
        "AU10": Use(0.2, 0.5),
        "AU16": Use(0.15, 0.7),
        "AU25": Use(0.25, 0.6),
    },
    "disgust": {
        "AU9": Use(0.9, 1.0),
        "AU10": Use(0.9, 0.9),
        "AU17": Use(0.5, 0.6),
        "AU4": Use(0.35, 0.6),
        "AU7": Use(0.4, 0.6),
        "AU6": Use(0.2, 0.5),
        "AU15": Use(0.3, 0.5),
        "AU16": Use(0.2, 0.5),
        "AU25": Use(0.35, 0.7),
    },
    "fear": {
        "AU1": Use(1.0, 1.0),
        "AU4": Use(0.9, 0.7),
        "AU2": Use(0.57, 0.6),
        "AU5": Use(0.85, 1.0),
        "AU20": Use(0.95, 1.0),
        "AU25": Use(0.95, 0.8),
        "AU26": Use(0.35, 0.35),
        "AU16": Use(0.3, 0.5),
    },
    "happy": {
        "AU12": Use(1.0, 1.0),
        "AU6": Use(0.75, 0.9),
        "AU25": Use(0.75, 0.8),
        "AU7": Use(0.2, 0.4),
        "AU10": Use(0.15, 0.3),
        "AU26": Use(0.2, 0.4),
        "AU1": Use(0.1, 0.3),
        "AU2": Use(0.1, 0.3),
    },
    "sad": {
        "AU1": Use(0.85, 0.9),
        "AU4": Use(0.8, 0.7),
        "AU15": Use(1.0, 1.0),
        "AU17": Use(0.67, 0.8),
        "AU6": Use(0.2, 0.4),
        "AU43": Use(0.4, 0.35),
        "AU25": Use(0.12, 0.3),
    },
    "surprise": {
        "AU1": Use(1.0, 1.0),
        "AU2": Use(1.0, 1.0),
        "AU5": Use(0.7, 0.8),
        "AU25": Use(1.0, 0.8),
        "AU26": Use(1.0, 0.9),
    },
    "contempt": {
        "AU14": Use(1.0, 1.0),
        "AU12": Use(0.7, 0.6),
        "AU10": Use(0.15, 0.3),
    },
    "neutral": {},
}

# Units that cannot act together (pressed lips are not parted; a closed eye is not wide open): the first one wins.
EXCLUSIVE = (("AU24", "AU25"), ("AU24", "AU26"), ("AU24", "AU16"), ("AU5", "AU43"), ("AU20", "AU24"))

ONE_SIDED = "contempt"  # R14A / L14A in EMFACS: the only emotion whose prototype acts on one side


def intensities(
    labels: np.ndarray,
    classes: tuple[str, ...],
    draws,
    *,
    weakest: float,
    accidental: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the action units of each face from the prototype of its emotion.

    Args:
        labels: int [n], indices into `classes`.
        classes: canonical emotion names.
        draws: a `parameters.Draws` whose columns this call consumes.
        weakest: lower end of the expression's overall strength, in (0, 1]; the upper end is 1.
        accidental: upper end of the strength of units that belong to no emotion (tics, resting faces), in [0, 1].

    Returns:
        units: float32 [n, len(UNITS)] in [0, 1], the strength on the stronger side of the face.
        sides: float32 [n, 2], factors for the image's left and right side; (1, 1) for a symmetric face.
    """
    share, strength = _tables(classes)
    count = len(UNITS)
    overall = draws.uniform(weakest, 1.0)
    shown = draws.uniforms(count) < share[labels]
    jitter = 0.7 + 0.45 * draws.uniforms(count)
    units = np.where(shown, strength[labels] * overall[:, None] * jitter, 0.0)

    # Every face carries traces of unrelated units, most of them near zero, and some people talk or blink.
    stray = accidental * draws.uniforms(count) ** 2 * (draws.uniforms(count) < 0.4)
    units = np.maximum(units, stray)
    column = {name: i for i, name in enumerate(UNITS)}
    talks = draws.uniform(0, 1) < 0.1
    units[:, column["AU25"]] = np.maximum(units[:, column["AU25"]], talks * draws.uniform(0.1, 0.35))
    blinks = draws.uniform(0, 1) < 0.03
    units[:, column["AU43"]] = np.maximum(units[:, column["AU43"]], blinks * draws.uniform(0.5, 1.0))
    for winner, loser in EXCLUSIVE:
        units[:, column[loser]] *= units[:, column[winner]] <= 0.2

    skew = draws.uniform(-0.15, 0.15)
    side = np.where(draws.uniform(0, 1) < 0.5, -1.0, 1.0)
    weak = draws.uniform(0.0, 0.2)
    one_sided = np.array([name == ONE_SIDED for name in classes])[labels]
    pair = np.stack([1 - np.maximum(skew, 0), 1 + np.minimum(skew, 0)], axis=1)
    lone = np.stack([np.where(side < 0, 1.0, weak), np.where(side > 0, 1.0, weak)], axis=1)
    sides = np.where(one_sided[:, None], lone, pair)
    return np.clip(units, 0, 1).astype(np.float32), sides.astype(np.float32)


def _tables(classes: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Lay the prototypes of these classes out as arrays [classes, units] of shares and strengths."""
    share = np.zeros((len(classes), len(UNITS)))
    strength = np.zeros_like(share)
    for row, name in enumerate(classes):
        for unit, use in PROTOTYPES[name].items():
            share[row, UNITS.index(unit)], strength[row, UNITS.index(unit)] = use
    return share, strength
