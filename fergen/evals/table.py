"""Scores as a text table for the terminal."""

import math
from collections.abc import Mapping, Sequence

from fergen.metrics.selective import ACCURACY

# Name, label, and how it is printed: shares as percentages, the others as they are.
_ROWS = (
    ("accuracy", "accuracy", "%"),
    ("no_twins/accuracy", "  without twins of training images", "%"),
    ("ferplus/accuracy", "  against the FER+ majority", "%"),
    ("five/accuracy", "  restricted to five classes", "%"),
    ("tta/accuracy", "  averaged views", "%"),
    ("tta/no_twins/accuracy", "  averaged views, without twins", "%"),
    ("macro_f1", "macro-F1", "%"),
    ("macro_recall", "macro recall", "%"),
    ("macro_precision", "macro precision", "%"),
    ("auroc", "AUROC, one against the rest", "%"),
    ("top2", "top-2 accuracy", "%"),
    ("nll", "negative log-likelihood", "."),
    ("brier", "Brier score", "."),
    ("ece", "calibration error, at the temperature", "%"),
    ("ece_uncalibrated", "calibration error, as trained", "%"),
    ("answered", f"answered, where validation is right on {100 * ACCURACY:g} %", "%"),
    ("answered_accuracy", "  right there", "%"),
    ("action_units/correlation", "action units: mean correlation", "."),
)


def text(results: Mapping[str, Mapping[str, float]], classes: Sequence[str]) -> str:
    """Lay out scores, a column per split.

    Args:
      results: split -> flat scores as from `fergen.evals.classification.evaluate`.
      classes: class names, for a row each.

    Returns:
      Lines: figure and 95 % interval; a row is left out where no split has it.
    """
    per_class = [(f"accuracy/{name}", f"  {name}", "%") for name in classes]
    rows = [*_ROWS[:6], ("", "accuracy per class", ""), *per_class, *_ROWS[6:]]
    lines = [["", *results], ["rows", *(f"{scores['n']:,}" for scores in results.values())]]
    for name, label, form in rows:
        if name and not any(name in scores for scores in results.values()):
            continue
        lines.append([label, *(_cell(scores, name, form) for scores in results.values())])
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join("   ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)


def _cell(scores: Mapping[str, float], name: str, form: str) -> str:
    value = scores.get(name)
    if value is None:
        return ""
    if math.isnan(value):
        return "undefined"
    factor, digits = (100, 1) if form == "%" else (1, 3)
    cell = f"{factor * value:.{digits}f}"
    if f"{name}.low" in scores:
        low, high = scores[f"{name}.low"], scores[f"{name}.high"]
        cell += f" [{factor * low:.{digits}f}, {factor * high:.{digits}f}]"
    return cell
