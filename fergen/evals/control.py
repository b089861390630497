"""Control: does a face asked to show an expression show it, in the eyes of an independent judge?

A judge errs on real faces too. Perfect samples would score its recall on those, so that recall stands beside every
figure, and the ratio of the two says how controlled the generator is.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from fergen.core.errors import BadInput
from fergen.data.vocabulary import mapping
from fergen.metrics.bootstrap import intervals
from fergen.metrics.classification import confusion, macro, recall
from fergen.metrics.proportion import wilson


class Judged(NamedTuple):
    """Faces as a classifier saw them: what they were to show, and what it said, both int [n]."""

    labels: np.ndarray
    predictions: np.ndarray


def require_classes(name: str, has: Sequence[str], wanted: Sequence[str], role: str = "judge") -> None:
    """Check that a classifier knows every class of a generator; classes that it has beside them are left out.

    Raises:
        BadInput: it lacks one.
    """
    missing = [wanted[i] for i in np.flatnonzero(mapping(wanted, has) < 0)]
    if missing:
        raise BadInput(
            f"{role} '{name}': expected a classifier of the generator's classes ({', '.join(wanted)}), found none for"
            f" {', '.join(missing)} (it knows {', '.join(has)}); take a {role} trained on a set that has them"
        )


def predicted(logits: np.ndarray, has: Sequence[str], wanted: Sequence[str]) -> np.ndarray:
    """Return the most probable of the wanted classes: logits [n, len(has)] -> int [n], indices into `wanted`."""
    return logits[:, mapping(wanted, has)].argmax(1)


def evaluate(
    fakes: Judged,
    real: Mapping[str, Judged],
    classes: Sequence[str],
    *,
    guide: np.ndarray | None = None,
    bootstrap: int = 1000,
    seed: int = 0,
) -> dict[str, float]:
    """Measure control, and the judge on real faces beside it.

    Args:
        fakes: the judge on generated faces; best as many of each class.
        real: split -> the judge on that split's faces, which it must not have learned from. Twins of training faces
            count: they raise its recall, and so make the ratio stricter.
        classes: C names.
        guide: int [n], what the guide said of the same generated faces.
        bootstrap: resamples per interval.
        seed: of the resamples.

    Returns:
        Shares in [0, 1], all with `.low` and `.high` (95 %: Wilson's per class and for agreement, bootstrap for macros
        and ratios):
        `control/<class>`, `control/macro`, the share of faces that show what they were asked to;
        `judge/real/<class>`, `judge/real/macro`, its recall on all real faces, and `judge/real/<split>/<class>`,
        `judge/real/<split>/macro` (without intervals);
        `control/ratio` (macro / macro), `control/ratio/<class>`, `control/ratio/worst` (without interval);
        `guide/<class>`, `guide/macro`, `agreement` (judge and guide say the same) where there is a guide.
        And the counts: `control/n`, `control/n/<class>`, `judge/real/n`, `judge/real/n/<class>`.
    """
    pooled = Judged(*(np.concatenate([getattr(part, f) for part in real.values()]) for f in Judged._fields))
    scores = _shares("control", fakes, classes) | _shares("judge/real", pooled, classes)
    for split, part in real.items():
        per_class = recall(_counts(part, classes))
        scores |= {f"judge/real/{split}/{name}": float(value) for name, value in zip(classes, per_class)}
        scores[f"judge/real/{split}/macro"] = float(macro(per_class))
    parts = {"control": fakes, "judge/real": pooled}
    if guide is not None:
        parts["guide"] = Judged(fakes.labels, guide)
        shares = _shares("guide", parts["guide"], classes).items()
        # The numbers of faces are the judge's; beware of classes whose names begin alike.
        scores |= {k: v for k, v in shares if k != "guide/n" and not k.startswith("guide/n/")}
        same = int((guide == fakes.predictions).sum())
        scores |= _with_interval("agreement", same / len(guide), wilson(same, len(guide)))
    for name, (value, low, high) in _bootstrapped(parts, classes, bootstrap, seed).items():
        scores |= _with_interval(name, value, (low, high))
    # A class that the judge never recognises among real faces has no ratio.
    ratios = [scores[f"control/ratio/{name}"] for name in classes]
    scores["control/ratio/worst"] = min((ratio for ratio in ratios if not np.isnan(ratio)), default=float("nan"))
    return scores


def _shares(prefix: str, part: Judged, classes: Sequence[str]) -> dict[str, float]:
    counts = _counts(part, classes)
    scores: dict[str, float] = {f"{prefix}/n": len(part.labels)}
    for c, name in enumerate(classes):
        hits, n = int(counts[c, c]), int(counts[c].sum())
        scores[f"{prefix}/n/{name}"] = n
        scores |= _with_interval(f"{prefix}/{name}", hits / n if n else float("nan"), wilson(hits, n))
    return scores


def _bootstrapped(
    parts: Mapping[str, Judged], classes: Sequence[str], resamples: int, seed: int
) -> dict[str, tuple[float, float, float]]:
    """Give macros and ratios their intervals; generated and real faces are resampled at once, being apart."""
    k = len(classes)
    # The guide saw the same faces as the judge: a resample of them is one for both.
    groups = [("control", "guide") if "guide" in parts else ("control",), ("judge/real",)]
    n = [len(parts[group[0]].labels) for group in groups]

    def statistics(rows: np.ndarray) -> dict[str, np.ndarray]:
        per_class = {}
        for group, multiplicities in zip(groups, np.split(rows, [n[0]], axis=1)):
            for name in group:
                part = parts[name]
                per_class[name] = recall(confusion(part.labels, part.predictions, k, multiplicities))
        found = {f"{name}/macro": macro(values) for name, values in per_class.items()}
        found["control/ratio"] = _ratio(found["control/macro"], found["judge/real/macro"])
        ratios = _ratio(per_class["control"], per_class["judge/real"])
        return found | {f"control/ratio/{name}": ratios[:, c] for c, name in enumerate(classes)}

    return intervals(statistics, sum(n), resamples=resamples, seed=seed)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)


def _counts(part: Judged, classes: Sequence[str]) -> np.ndarray:
    return confusion(part.labels, part.predictions, len(classes))


def _with_interval(name: str, value: float, ends: tuple[float, float]) -> dict[str, float]:
    return {name: value, f"{name}.low": ends[0], f"{name}.high": ends[1]}
