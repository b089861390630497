"""Weights of a run as one file to hand on, with a card that says what they are and how good."""

from pathlib import Path
from typing import Any

from fergen.core.errors import BadInput
from fergen.core.paths import read_json
from fergen.train import weights
from fergen.train.restore import restore

# Of the flat scores of `fergen eval`, what a card carries; each with its interval where there is one.
SCORES = (
    "accuracy",
    "macro_f1",
    "macro_recall",
    "auroc",
    "ece",
    "no_twins/accuracy",
    "ferplus/accuracy",
    "five/accuracy",
)
USE = (
    "Classifies the expression that a face shows in a picture. An expression is not an inner feeling. Not for judging"
    " people at work, at school, or for access to anything; not validated for groups of people apart."
)


def hand_on(reference: str, out: str | Path, *, scored: str | Path | None = None, bf16: bool = False) -> dict[str, Any]:
    """Write the weights of a reference with their card.

    Args:
        reference: see `fergen.train.restore`.
        out: ends in .safetensors.
        scored: folder that `fergen eval` wrote for these weights; its scores and temperature go into the card.
        bf16: store parameters in bfloat16.

    Returns:
        The card, with `hash` and `parameters`.

    Raises:
        BadInput: the reference or the folder of scores is wrong.
    """
    if Path(out).suffix != ".safetensors":
        raise BadInput(f"{out}: expected a name ending in .safetensors")
    found = restore(reference)
    config = found.card.get("config", {})
    card: dict[str, Any] = {
        "config": config,
        "step": found.step if found.step is not None else found.card.get("step"),
        "data": found.lineage["data"],
        "stored": "bfloat16 parameters" if bf16 else "float32",
        "use": USE,
    }
    if scored:
        card |= scores_of(Path(scored), found.hash)
    # The run's own weights are in the file's lineage: rounded to bfloat16 they have another hash, and are no others.
    digest = weights.write(out, found.variables, spec=found.spec, lineage=found.lineage, card=card, bf16=bf16)
    return {**card, "hash": digest}


def scores_of(folder: Path, digest: str) -> dict[str, Any]:
    """Return {scores: split -> name -> [value, low, high], n, temperature} from the JSON files of an evaluation.

    Raises:
        BadInput: there are none, or they were measured of other weights than those of hash `digest`.
    """
    files = sorted(folder.glob("*.json"))
    if not files:
        raise BadInput(f"{folder}: expected the JSON files of fergen eval, found none")
    scores, counts, temperature = {}, {}, 1.0
    for file in files:
        flat = read_json(file)
        if flat.get("weights_hash") != digest:
            raise BadInput(
                f"{file}: measured of weights {str(flat.get('weights_hash'))[:12]}, expected {digest[:12]};"
                " measure these weights first: fergen eval"
            )
        counts[file.stem] = flat["n"]
        temperature = flat["temperature"]
        scores[file.stem] = {
            name: [flat[name], flat.get(f"{name}.low"), flat.get(f"{name}.high")] for name in SCORES if name in flat
        }
    return {"scores": scores, "n": counts, "temperature": temperature}
