"""The options of a GAN's config, checked: its loss, the strength of its augmentation, the labels of its fakes."""

from typing import Any

import numpy as np

from fergen.augment import ada_control
from fergen.core import fields
from fergen.core.errors import BadInput
from fergen.losses import adversarial


def checked_loss(config) -> dict[str, Any]:
    """Return the fields of `config.loss`.

    Raises:
        BadInput: one is out of range, or does not go with the model.
    """
    loss = dict(config.loss)
    if loss["kind"] not in adversarial.KINDS:
        raise BadInput(f"--config.loss.kind={loss['kind']}: expected one of {', '.join(adversarial.KINDS)}")
    for name in ("smoothing", "positive_margin", "negative_margin"):
        fields.number(f"loss.{name}", loss[name], 0, 1)
    for name in ("r1", "r2", "classes", "mismatch"):
        fields.number(f"loss.{name}", loss[name])
    fields.number("loss.temperature", loss["temperature"], 1e-3)
    fields.whole("loss.interval", loss["interval"], 1)
    if loss["mismatch"] and config.model.conditioning != "projection":
        raise BadInput(
            f"--config.loss.mismatch={loss['mismatch']}: expected 0 for conditioning {config.model.conditioning}; only"
            " projection judges an image under every label"
        )
    if loss["kind"] == "relativistic" and config.fake_labels != "batch":
        raise BadInput(
            f"--config.fake_labels={config.fake_labels}: expected batch for the relativistic loss, whose pairs share"
            " a label"
        )
    return loss


def require_signs(config) -> None:
    """Check that an augmentation whose strength adapts has signs of logits to go by.

    Raises:
        BadInput: the loss leaves a constant in all logits open.
    """
    if config.loss.kind == "relativistic" and config.augment.control.adaptive:
        raise BadInput(
            "--config.augment.control.adaptive=True: expected False for the relativistic loss, which leaves a constant"
            " in all logits open, and with it their signs, by which the strength would move; set its p instead"
        )


def checked_control(config) -> ada_control.Control:
    """Return how the strength of the augmentation moves, from `config.augment.control`.

    Raises:
        BadInput: a field is out of range.
    """
    for name, greatest in {"p": 1, "target": 1, "cap": 1}.items():
        fields.number(f"augment.control.{name}", config[name], 0, greatest)
    fields.number("augment.control.kimg", config.kimg, 1e-3)
    fields.whole("augment.control.interval", config.interval, 1)
    return ada_control.Control(**config)


def shares_of(kind: str, counts: np.ndarray) -> np.ndarray | None:
    """Return the distribution of the labels of fakes, float32 [k]; None for those of the batch.

    Args:
        kind: 'batch'; 'prior', that of the training set; 'balanced', equal for all classes that it has.
        counts: int [k], training images of each class.

    Raises:
        BadInput: another kind.
    """
    if kind == "batch":
        return None
    if kind not in ("prior", "balanced"):
        raise BadInput(f"--config.fake_labels={kind}: expected batch, prior or balanced")
    shares = counts if kind == "prior" else counts > 0
    return (shares / shares.sum()).astype(np.float32)
