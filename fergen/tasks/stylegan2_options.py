"""The options of a StyleGAN2's config, checked: its loss, its optimisers, its average, what is frozen."""

from typing import Any

import optax

from fergen.core import fields
from fergen.core.errors import BadInput
from fergen.models.stylegan2_discriminator import Discriminator
from fergen.optim import build as optim


def checked_loss(config) -> dict[str, Any]:
    """Return the fields of `config.loss`.

    Raises:
        BadInput: one is out of range.
    """
    loss = dict(config.loss)
    for name in ("r1", "pl"):
        fields.number(f"loss.{name}", loss[name])
    for name in ("pl_decay", "mixing"):
        fields.number(f"loss.{name}", loss[name], 0, 1)
    for name in ("r1_interval", "pl_interval", "pl_shrink"):
        fields.whole(f"loss.{name}", loss[name], 1)
    return loss


def optimisers(
    config, steps: int, loss: dict[str, Any], discriminator: Discriminator
) -> dict[str, optax.GradientTransformation]:
    """Build the optimiser of each net, which serves its game and, every k steps, its regulariser.

    The rate is k / (k + 1) of the config's and so is the power of b2, for there are k + 1 updates where there would be
    k: Karras et al. 2020 (arXiv:1912.04958), appendix B, "lazy regularization".

    Raises:
        BadInput: a field of `config.optim` or `config.freeze_d` is out of range.
    """
    found = {}
    for name, kind in (("generator", "pl"), ("discriminator", "r1")):
        own, interval = dict(config.optim), loss[f"{kind}_interval"]
        share = interval / (interval + 1) if loss[kind] else 1.0
        own["lr"] = share * fields.number("optim.lr", own["lr"])
        for beta in ("b1", "b2"):
            if own[beta] is not None:
                own[beta] = own[beta] ** share
        if name == "discriminator" and config.freeze_d:
            own["freeze"] = frozen_layers(discriminator, config.freeze_d)
        found[name] = optim.build(own, round(steps / share))
    return found


def frozen_layers(discriminator: Discriminator, layers: int) -> tuple[str, ...]:
    """Return patterns of the parameters of the first layers, from the highest resolution on.

    Mo et al. 2020, "Freeze the discriminator" (arXiv:2002.10964). Layers are counted as the reference code counts them:
    fromrgb, conv0, conv1 and skip of each block.

    Raises:
        BadInput: there are not so many.
    """
    names, architecture = [], discriminator.architecture
    for size in reversed(discriminator.layout.sizes[1:]):
        first = size == discriminator.layout.sizes[-1]
        names += [f"b{size}/fromrgb/*"] if first or architecture == "skip" else []
        names += [f"b{size}/conv0/*", f"b{size}/conv1/*"]
        names += [f"b{size}/skip/*"] if architecture == "resnet" else []
    fields.whole("freeze_d", layers, 0)
    if layers > len(names):
        raise BadInput(f"--config.freeze_d={layers}: expected at most the {len(names)} layers of the discriminator")
    return tuple(names[:layers])


def rounds_of(config) -> int:
    """Return the parts that a batch is computed in.

    Raises:
        BadInput: the batch does not divide by them.
    """
    rounds = fields.whole("rounds", config.rounds, 1)
    if config.batch_size % rounds:
        raise BadInput(f"--config.rounds={rounds}: expected a divisor of the batch, {config.batch_size}")
    return rounds


def average_of(config) -> tuple[float, float]:
    """Return the images of the moving average's half-life, and its bound as a share of the images so far.

    Raises:
        BadInput: one is out of range.
    """
    kimg = fields.number("average.kimg", config.average.kimg)
    return 1000 * kimg, fields.number("average.ramp", config.average.ramp)
