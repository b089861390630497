"""A card of weights, which says what they are, how good, and for what; and a run's weights as one file with theirs."""

from pathlib import Path
from typing import Any

from fergen.core.errors import BadInput
from fergen.core.paths import read_json
from fergen.train import weights
from fergen.train.restore import Restored, restore

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
# The same of a generator: the scores whose names begin so.
GENERATED = ("n", "control/macro", "control/ratio", "judge/real/macro", "fid/", "kid/", "coverage/", "reconstruction/")
RECOGNISES = (
    "Classifies the expression that a face shows in a picture. An expression is not an inner feeling. Not for judging"
    " people at work, at school, or for access to anything; not validated for groups of people apart."
)
GENERATES = (
    "Generates faces of people who do not exist, with an expression as the pictures that it learned from show it. For"
    " research and to train recognisers; not to deceive. It repeats the biases of those pictures."
)
LIMITS = (
    "It answers whatever it is shown: that there is a face, cropped like those it learned from, is the caller's to see"
    " to. Labels of expressions are opinions, on which people often differ; its probabilities say where it is unsure."
)
GENERATOR_LIMITS = (
    "What it draws under a name is what its pictures' labels call so, mistakes included. Rare expressions come out less"
    " varied and less sure."
)


def hand_on(reference: str, out: str | Path, *, scored: str | Path | None = None, bf16: bool = False) -> dict[str, Any]:
    """Write the weights of a reference with their card.

    Args:
        reference: see `fergen.train.restore`.
        out: ends in .safetensors.
        scored: folder that `fergen eval` wrote for these weights; its scores go into the card.
        bf16: store parameters in bfloat16.

    Returns:
        The card, with `hash` and `parameters`.

    Raises:
        BadInput: the reference or the folder of scores is wrong.
    """
    if Path(out).suffix != ".safetensors":
        raise BadInput(f"{out}: expected a name ending in .safetensors")
    found = restore(reference)
    spec, variables = for_use(found)
    card = {**card_of(found, scored=scored), "stored": "bfloat16 parameters" if bf16 else "float32"}
    # The run's own weights are in the file's lineage: rounded to bfloat16 they have another hash, and are no others.
    digest = weights.write(out, variables, spec=spec, lineage=found.lineage, card=card, bf16=bf16)
    return {**card, "hash": digest}


def card_of(found: Restored, *, scored: str | Path | None = None) -> dict[str, Any]:
    """Return the card of restored weights: config, step, data, use, limits, licence, privacy, and scores if there are.

    Args:
        found: the weights; scores, temperature and threshold of a card that they carry are kept.
        scored: folder that `fergen eval` wrote for these weights, for its scores.

    Raises:
        BadInput: the folder of scores is wrong.
    """
    classifies = found.spec["task"] == "classifier"
    config, privacy = found.card.get("config", {}), found.card.get("privacy")
    if privacy:
        # Who knows it draws the noise again: see fergen.tasks.private.
        config = {name: value for name, value in config.items() if name != "seed"}
    card: dict[str, Any] = {
        **found.card,
        "config": portable(config),
        "step": found.step if found.step is not None else found.card.get("step"),
        "data": found.lineage["data"],
        "use": RECOGNISES if classifies else GENERATES,
        "limits": LIMITS if classifies else GENERATOR_LIMITS,
        "licence": licence_of(found.lineage),
    }
    if scored:
        card.pop("threshold", None)
        card |= (scores_of if classifies else scores_of_generator)(Path(scored), found.hash)
    return card


def portable(value: Any) -> Any:
    """Return a config's fields with names in place of absolute paths: a machine's folders say nothing elsewhere."""
    if isinstance(value, dict):
        return {name: portable(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [portable(entry) for entry in value]
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value


def licence_of(lineage: dict[str, Any]) -> str:
    """Say under what terms weights may be used, as far as their lineage tells."""
    pictures = sorted({name for name in lineage["data"].values() if not name.startswith("procedural")})
    ours = "Apache-2.0, as fergen itself, as far as it is ours to give."
    if not pictures:
        return f"{ours} Its lineage names no set of pictures but drawn ones."
    return (
        f"{ours} The pictures that it learned from ({', '.join(pictures)}) come under terms of their own, which may"
        " allow research alone: see to them before any other use."
    )


def for_use(found: Restored) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return spec and variables without the critic of a GAN, which serves training alone."""
    spec, variables = found.spec, found.variables
    if "critic" not in spec.get("nets", ()):
        return spec, variables
    kept = {kind: {name: tree for name, tree in trees.items() if name != "critic"} for kind, trees in variables.items()}
    spec = {**spec, "nets": [name for name in spec["nets"] if name != "critic"]}
    return spec, {kind: trees for kind, trees in kept.items() if trees}


def rounded(value: Any) -> Any:
    """Return a number to seven digits; anything else as it is.

    Fewer would be certain, but rounded once more to a tenth of a percent they can differ from the figure itself.
    """
    return float(f"{value:.7g}") if isinstance(value, float) else value


def scores_of(folder: Path, digest: str) -> dict[str, Any]:
    """Return {scores: split -> name -> [value, low, high], n, temperature, threshold} from an evaluation's JSON files.

    Raises:
        BadInput: there are none, or they were measured of other weights than those of hash `digest`.
    """
    files = sorted(folder.glob("*.json"))
    if not files:
        raise BadInput(f"{folder}: expected the JSON files of fergen eval, found none")
    scores, counts, chosen = {}, {}, {}
    for file in files:
        flat = read_json(file)
        if flat.get("weights_hash") != digest:
            raise BadInput(
                f"{file}: measured of weights {str(flat.get('weights_hash'))[:12]}, expected {digest[:12]};"
                " measure these weights first: fergen eval"
            )
        counts[file.stem] = flat["n"]
        # On validation; no threshold is right on 80 % of the faces that a weak network answers.
        chosen = {name: flat[name] for name in ("temperature", "threshold") if name in flat}
        scores[file.stem] = {
            name: [rounded(flat.get(f"{name}{end}")) for end in ("", ".low", ".high")]
            for name in SCORES
            if name in flat
        }
    return {"scores": scores, "n": counts, **chosen}


def scores_of_generator(folder: Path, digest: str) -> dict[str, Any]:
    """Return {scores: name -> value, measured: judge and hashes} from the scores.json of a generator's evaluation.

    Raises:
        BadInput: there is none, or it was measured of other weights than those of hash `digest`.
    """
    file = folder / "scores.json"
    if not file.is_file():
        raise BadInput(f"{file}: expected the scores of fergen eval, found none")
    flat = read_json(file)
    if flat.get("generator_hash") != digest:
        raise BadInput(
            f"{file}: measured of weights {str(flat.get('generator_hash'))[:12]}, expected {digest[:12]}; measure these"
            " weights first: fergen eval"
        )
    scores = {name: rounded(value) for name, value in flat.items() if name.startswith(GENERATED)}
    measured = {name: flat[name] for name in ("judge", "judge_hash", "data", "data_hash", "features", "seed")}
    return {"scores": scores, "measured": measured}
