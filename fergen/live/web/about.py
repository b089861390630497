"""What the page says of its model: what it is for, how often it is right, and where it ends."""

from collections.abc import Mapping
from typing import Any

from fergen.live.classifier import Classifier
from fergen.live.web import markup

LIMITS = (
    "<strong>An expression is not an inner feeling.</strong> This page names what a face shows, by the votes of people"
    " who looked at pictures. It is not for judging people at work, at school, or for access to anything."
)
SPLITS = ("test", "public", "validation")
NAMES = {
    "accuracy": "accuracy",
    "no_twins/accuracy": "accuracy, without twins of training images",
    "macro_f1": "macro-F1",
    "macro_recall": "mean recall of the classes",
    "ferplus/accuracy": "accuracy against FER+ majorities",
    "five/accuracy": "accuracy on five classes",
    "ece": "expected calibration error",
    "auroc": "AUROC",
}


def split_of(card: Mapping[str, Any]) -> str | None:
    """Return the split whose scores speak for a model: one that no choice was made on, if there is one."""
    return next((split for split in SPLITS if split in card.get("scores", {})), None)


def accuracy(classifier: Classifier) -> str:
    """Say in a sentence how often a classifier is right."""
    card = classifier.card
    split = split_of(card)
    if split is None:
        return f"{classifier.name}: its accuracy was not measured; fergen eval measures it."
    value, low, high = card["scores"][split]["accuracy"]
    spread = f" [{100 * low:.1f}, {100 * high:.1f}]" if low is not None and high is not None else ""
    names = ", ".join(card.get("data", {}).values()) or "its data"
    return (
        f"{classifier.name} is right on {100 * value:.1f} %{spread} of {card['n'][split]:,} faces of {names}"
        f" ({split}) that it did not learn from; guessing would be right on {100 / len(classifier.classes):.0f} %."
    )


def head(classifier: Classifier) -> str:
    """Return the top of the page."""
    return (
        '<header class="fg-head"><h1>fergen</h1>'
        "<p>Reads expressions on faces, makes faces that show one, and moves one to another.</p></header>"
        f'<div class="fg-limits" role="note"><p>{LIMITS}</p><p>{markup.text(accuracy(classifier))}</p></div>'
    )


def details(classifier: Classifier) -> str:
    """Return the tab about the model."""
    card, split = classifier.card, split_of(classifier.card)
    parts = [f"<h3>{markup.text(classifier.name)}</h3>"]
    if card.get("use"):
        parts.append(f"<p>{markup.text(card['use'])}</p>")
    parts.append(
        f"<p>It knows {markup.text(', '.join(classifier.classes))}, and reads faces of"
        f" {classifier.size[0]} x {classifier.size[1]} pixels{' in gray' if classifier.channels == 1 else ''}. Its"
        f" probabilities are calibrated on validation (temperature {card.get('temperature', 1.0):.2f}). Where none"
        f" reaches {100 * classifier.threshold:.0f} %, it says “uncertain”.</p>"
    )
    if split:
        rows = [(NAMES.get(name, name), percent(*found)) for name, found in card["scores"][split].items()]
        parts.append(
            f"<h3>Measured on {card['n'][split]:,} faces ({split})</h3>"
            + markup.table(("", "%, with the 95 % bootstrap interval"), rows)
        )
    parts.append(
        "<h3>Where it ends</h3><ul>"
        "<li>People asked to name the expressions of FER2013 gave its labels on 65 ± 5 % of the pictures (Goodfellow"
        " et al. 2013): the labels themselves are opinions.</li>"
        "<li>Pictures unlike the ones it learned from (turned heads, covered faces, children, other light) are read"
        " worse, and it was not validated for groups of people apart.</li>"
        "<li>The pictures of what the network goes by say what moved its answer, not that the answer is right.</li>"
        "<li>Generated faces repeat the biases of the pictures that the generator learned from.</li></ul>"
        "<h3>What happens to pictures</h3><p>They go to this server and nowhere else; uploads lie in a temporary"
        " folder that goes when the server ends, frames of the camera are not kept.</p>"
    )
    return f'<article class="fg-about">{"".join(parts)}</article>'


def percent(value: float, low: float | None, high: float | None) -> str:
    """Format a share and its interval as percents."""
    spread = f" [{100 * low:.1f}, {100 * high:.1f}]" if low is not None and high is not None else ""
    return f"{100 * value:.1f}{spread}"
