"""Measuring how a classifier bears crops that are off, and real detection: figures and curves into files."""

from collections.abc import Sequence
from pathlib import Path

from fergen.core.errors import BadInput
from fergen.core.paths import write_json
from fergen.train.measure import trained_on

SPLIT = "public"


def evaluate(
    reference: str,
    detectors: Sequence[str],
    *,
    data: str | None = None,
    split: str | None = None,
    out: str | Path | None = None,
    batch: int = 256,
    quiet: bool = True,
):
    """Measure a classifier by reference; see `fergen.evals.robustness`.

    Args:
        reference: weights, see `fergen.train.restore.restore`.
        detectors: names of detectors for faces set into pictures; none leaves those out.
        data: a prepared set of cropped faces; None for the one that the weights were trained on.
        split: which; None is public, or validation where the set has no such split.
        out: folder for robustness.json and robustness.png; None writes nothing.
        batch: images per compiled call.
        quiet: show no progress.

    Returns:
        A `fergen.evals.robustness.Robustness`.

    Raises:
        BadInput: a reference, detector, set or split is wrong.
    """
    from fergen.data import dataset
    from fergen.data.detect import detector
    from fergen.evals import robustness
    from fergen.show import robustness as picture
    from fergen.train.restore import restore

    find = {name: detector(name) for name in detectors}
    member = restore(reference)
    if "logits" not in member.predict:
        raise BadInput(f"--robustness is for classifiers; '{reference}' is none")
    data = data or trained_on(member)
    split = split or (SPLIT if SPLIT in dataset.spec_of(data).splits else "validation")
    faces = dataset.load(data, split)
    measured = robustness.evaluate(member, faces, find, batch=batch, quiet=quiet)
    if out:
        about = {
            "split": split,
            "data": faces.spec.name,
            "data_hash": faces.spec.hash,
            "weights": member.name,
            "weights_hash": member.hash,
            "step": member.step,
            "detectors": list(detectors),
        }
        write_json(Path(out) / "robustness.json", about | measured.scores())
        title = f"{member.name} on {faces.spec.name}, {split}: accuracy over crops that are off"
        picture.draw(measured.curves, robustness.AXES, Path(out) / "robustness.png", title=title)
    return measured
