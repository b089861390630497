"""A model's card as a page to read."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fergen.metrics.selective import ACCURACY

NAMES = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "macro_recall": "macro recall",
    "auroc": "AUROC",
    "ece": "expected calibration error",
    "no_twins/accuracy": "accuracy, without faces that are in training too",
    "ferplus/accuracy": "accuracy by the majority of FER+ votes",
    "five/accuracy": "accuracy among five classes",
}


def page(name: str, meta: Mapping[str, Any], inputs: Sequence[Mapping[str, Any]] = (), outputs: Sequence[str] = ()):
    """Format a card as Markdown.

    Args:
        name: of the model.
        meta: spec, card, lineage, hash, and function where it was exported.
        inputs: of the exported function: name, shape, dtype, and default where one may leave it out.
        outputs: names.
    """
    spec, card = meta["spec"], meta["card"]
    size = spec["image"]
    lines = [
        f"# {name}",
        "",
        f"A {spec['task']} ({spec['model']['name']}) of {size['height']}x{size['width']}x{size['channels']} images.",
        f"Classes, in order: {', '.join(spec['classes'])}.",
        "",
        "## Use and limits",
        "",
        card["use"],
        "",
        card["limits"],
    ]
    if inputs:
        lines += ["", "## Inputs and outputs", "", *table(("input", "type", "shape", ""), map(input_row, inputs)), ""]
        lines += [f"Outputs: {', '.join(outputs)}.", *said_of(meta.get("function", ""))]
    lines += ["", "## Scores", "", *scores_of(card)]
    lines += ["", "## Calibration", "", calibration_of(card)] if spec["task"] == "classifier" else []
    if card.get("int8"):
        rows = [(split, f"{a:.4f}", f"{b:.4f}") for split, (a, b) in card["int8"]["accuracy"].items()]
        lines += ["", "## Whole numbers of 8 bits", "", *table(("split", "accuracy in float32", "in int8"), rows)]
        lines += ["", f"Ranges of activations are those of {card['int8']['faces']} training faces."]
    if card.get("check"):
        lines += ["", "## Check", "", f"On random input: {card['check']}"]
    lines += [
        "",
        "## Data and lineage",
        "",
        f"Weights {meta['hash'][:12]}, of step {card.get('step') or 'unknown'}.",
        "",
    ]
    for kind, what in (("data", "Pictures"), ("weights", "Weights")):
        rows = [(named, digest[:12]) for digest, named in meta["lineage"].get(kind, {}).items()]
        lines += [*table((what, "SHA-256"), rows), ""] if rows else []
    if card.get("privacy"):
        lines += [f"Trained with differential privacy: {plainly(card['privacy'])}.", ""]
    lines += ["## Licence", "", card["licence"]]
    return "\n".join(lines) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Format a table."""
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


def input_row(given: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """Return the row of an input."""
    shape = ", ".join(map(str, given["shape"])) or "one number"
    return given["name"], given["dtype"], shape, "may be left out in .onnx" if "default" in given else ""


def said_of(function: str) -> list[str]:
    """Say what a function's numbers mean."""
    meaning = {
        "logits": "Images are pixels as they are, from 0 to 255 (gray, or red, green, blue), at this size; the model"
        " normalises. Probabilities are at the temperature below.",
        "sample": "Latents are standard normal. Images are in [-1, 1].",
        "decode": "Images are in [-1, 1].",
        "encode": "Images are pixels as they are, from 0 to 255.",
        "velocity": "One step of the sampler, from noise x at time 0 to data at time 1; as a label, the number of"
        " classes stands for none. `fergen.export.flow_sampler` makes images of it.",
    }
    return ["", meaning[function]] if function in meaning else []


def scores_of(card: Mapping[str, Any]) -> list[str]:
    """Format the scores; of a classifier with 95 % intervals of the bootstrap."""
    scores = card.get("scores")
    if not scores:
        return ["Not measured: see fergen eval, and --scores."]
    if "measured" in card:
        rows = [(name, f"{value:.4g}") for name, value in scores.items()]
        seen = {name: value[:12] if name.endswith("hash") else value for name, value in card["measured"].items()}
        return [*table(("score", "value"), rows), "", f"Measured with {plainly(seen)}."]
    names = list(dict.fromkeys(name for split in scores.values() for name in split))
    splits = list(scores)
    head = ("score", *(f"{split} (n = {card['n'][split]:,})" for split in splits))
    rows = [(NAMES.get(name, name), *(interval(scores[split].get(name)) for split in splits)) for name in names]
    return [*table(head, rows), "", "In brackets: 95 % intervals of the bootstrap over faces."]


def interval(found: Sequence[float | None] | None) -> str:
    """Format a score with its interval."""
    if not found or found[0] is None:
        return "-"
    value, low, high = found
    return f"{value:.3f}" + (f" [{low:.3f}, {high:.3f}]" if low is not None and high is not None else "")


def calibration_of(card: Mapping[str, Any]) -> str:
    """Say how probabilities are made and how far they can be trusted."""
    if "temperature" not in card:
        return "No temperature was fitted: probabilities are as the network gives them."
    errors = [f"{found['ece'][0]:.3f} on {split}" for split, found in card.get("scores", {}).items() if "ece" in found]
    said = f"Temperature {card['temperature']:.4f}, fitted on validation. Expected calibration error: " + (
        f"{', '.join(errors)}." if errors else "not measured."
    )
    if "threshold" not in card:
        return said
    right = f"{100 * ACCURACY:g} %"
    return f"{said} On validation the answers of a confidence of {card['threshold']:.2f} or more are right on {right}."


def plainly(values: Mapping[str, Any]) -> str:
    """Format names and values in a line."""
    return ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in values.items()
    )
