"""Export a model: convert, check against JAX, and write it with its card."""

import contextlib
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import fergen
from fergen.core import target
from fergen.core.errors import BadInput
from fergen.core.paths import atomic_write, plain, write_json
from fergen.export import card as cards
from fergen.export import check, runtime, to_stablehlo
from fergen.export.functions import Exported, function_of
from fergen.export.quantise import accuracy, quantised, training_faces
from fergen.export.to_onnx import to_onnx
from fergen.tasks.network import image_of
from fergen.train.card import card_of
from fergen.train.faces import resampled
from fergen.train.restore import Restored, restore

SUFFIXES = (".onnx", ".stablehlo")


class Written(NamedTuple):
    """What was exported.

    Attributes:
        path: the file.
        error: its largest difference from JAX, as a share of the output's scale.
        meta: spec, classes, image, card, lineage, hash, function, fergen.
        files: all that were written.
    """

    path: Path
    error: float
    meta: dict[str, Any]
    files: tuple[Path, ...]


def export(
    reference: str,
    out: str | Path,
    *,
    function: str = "",
    int8: bool = False,
    data: str = "",
    splits: Sequence[str] = ("validation",),
    scored: str | Path | None = None,
    **sampler: Any,
) -> Written:
    """Write a model for other programs, and beside it its card as OUT.md; of StableHLO also OUT.json.

    Args:
        reference: see `fergen.train.restore`.
        out: ends in .onnx or .stablehlo.
        function: of the model; by default what serves inference. See `fergen.export.functions`.
        int8: quantise a classifier.
        data: set that it is calibrated and measured on; by default the one trained on.
        splits: that it is measured on before and after.
        scored: folder that `fergen eval` wrote for these weights, for the card.
        **sampler: options of a generator's sampler, as `fergen.train.faces.resampled` takes them.

    Returns:
        A Written.

    Raises:
        BadInput: an argument is wrong, or the model does not have what is asked for.
        FergenError: the file would give other results than JAX.
    """
    out = Path(out)
    if out.suffix not in SUFFIXES:
        raise BadInput(f"{out}: expected a name ending in {' or '.join(SUFFIXES)}")
    if out.is_dir():
        raise BadInput(f"{out}: expected the name of a file, found a folder")
    found = resampled(restore(reference), **sampler)
    if int8 and (found.spec["task"] != "classifier" or function not in ("", "logits") or out.suffix != ".onnx"):
        raise BadInput("--int8: expected a classifier's logits as .onnx")
    meta = described(found, scored)
    # Its temperature is inside of what is exported.
    exported = function_of(dataclasses.replace(found, card=meta["card"]), function)
    meta["function"] = exported.name
    if out.suffix == ".stablehlo":
        return written_stablehlo(exported, meta, out)
    model = to_onnx(exported)
    session = runtime.session(model.SerializeToString(), where=str(out))
    names = [given.name for given in exported.inputs]
    error = check.checked(exported, lambda given: session.run(None, dict(zip(names, given))), str(out))
    meta["card"]["check"] = f"{error:.1e} of the output's scale from JAX at most, in float32."
    if int8:
        model = with_int8(found, model, meta, data, splits)
    with_metadata(model, meta)
    atomic_write(out, model.SerializeToString())
    return finished(out, exported, meta, error)


def described(found: Restored, scored: str | Path | None = None) -> dict[str, Any]:
    """Return what goes with restored weights: spec, classes, image, card, lineage, hash, fergen's version."""
    card = {**card_of(found, scored=scored), "stored": "float32"}
    keys = ("spec", "lineage", "hash")
    return {
        **{key: getattr(found, key) for key in keys},
        "classes": list(found.spec["classes"]),
        "image": found.spec["image"],
        "card": card,
        "fergen": fergen.__version__,
    }


def with_metadata(model: Any, meta: dict[str, Any]) -> None:
    """Put metadata into an ONNX model: JSON texts by name."""
    from onnx import helper

    helper.set_model_props(model, {name: json.dumps(value, default=plain) for name, value in meta.items()})


def with_int8(found: Restored, model: Any, meta: dict[str, Any], data: str, splits: Sequence[str]) -> Any:
    """Quantise a classifier and note in its card what that cost."""
    trained = found.spec.get("data", {})
    data = data or found.lineage["data"].get(trained.get("hash", ""), "")
    if not data:
        raise BadInput("--int8: the weights do not say what set they were trained on: give --data=NAME")
    faces, expected = training_faces(data, "train"), image_of(found.spec)
    if faces.shape[1:] != expected:
        raise BadInput(
            f"--data={data}: expected images {expected}, as the classifier reads them, found {faces.shape[1:]}"
        )
    small = quantised(model, faces)
    nets = []
    for made in (model, small):
        with_metadata(made, meta)
        nets.append(runtime.Classifier(data, runtime.session(made.SerializeToString())))
    measured = accuracy(nets, data, splits)
    meta["card"] |= {"stored": "int8", "int8": {"data": data, "faces": len(faces), "accuracy": measured}}
    return small


def written_stablehlo(exported: Exported, meta: dict[str, Any], out: Path) -> Written:
    """Check and write serialised StableHLO."""
    data = to_stablehlo.to_stablehlo(exported)
    read = to_stablehlo.read(data)
    error = check.checked(exported, lambda given: [np.asarray(x) for x in read.call(*given)], str(out))
    platforms = ", ".join(to_stablehlo.PLATFORMS)
    meta["card"]["check"] = f"{error:.1e} of the output's scale from JAX at most, on {target.platform()}."
    meta |= {"inputs": to_stablehlo.described(exported), "outputs": list(exported.outputs), "platforms": platforms}
    beside = out.with_suffix(".json")
    with undone(out, beside):
        atomic_write(out, data)
        write_json(beside, meta)
    return finished(out, exported, meta, error, beside)


@contextlib.contextmanager
def undone(*files: Path):
    """Leave none of some new files if one of them cannot be written."""
    there = {file for file in files if file.exists()}
    try:
        yield
    except BaseException:
        for file in files:
            if file not in there:
                file.unlink(missing_ok=True)
        raise


def finished(out: Path, exported: Exported, meta: dict[str, Any], error: float, *beside: Path) -> Written:
    """Write the card beside the model and say what there is."""
    text = cards.page(out.stem, meta, to_stablehlo.described(exported), exported.outputs)
    return Written(out, error, meta, (out, *beside, atomic_write(out.with_suffix(".md"), text)))
