"""The optimiser of a net, from a config."""

from collections.abc import Mapping
from typing import Any

import jax
import optax

from fergen.core import fields
from fergen.core.errors import BadInput
from fergen.optim import masks, muon, schedules

_COMMON: dict[str, Any] = {
    "lr": None,
    "weight_decay": 0.0,
    "schedule": None,
    "clip_norm": 0.0,
    "accumulate": 1,
    "freeze": (),
    "lr_multipliers": {},
}
# The fields of each optimiser with their defaults; `lr` has none and must be given.
_FIELDS: dict[str, dict[str, Any]] = {
    "sgd": {**_COMMON, "momentum": 0.9, "nesterov": True},
    "adam": {**_COMMON, "b1": 0.9, "b2": 0.999, "eps": 1e-8},
    "adamw": {**_COMMON, "b1": 0.9, "b2": 0.999, "eps": 1e-8},
    "muon": {**_COMMON, "momentum": 0.95, "nesterov": True, "b1": 0.9, "b2": 0.999, "eps": 1e-8},
}


def build(config: Mapping[str, Any], steps: int) -> optax.GradientTransformation:
    """Build an optimiser from a config.

    Args:
      config: the fields
          name: "sgd", "adam", "adamw" or "muon".
          lr: peak learning rate.
          momentum (0.9), nesterov (True): of sgd, as in Sutskever et al. 2013 in PyTorch's form; of muon (0.95), see
            `fergen.optim.muon`.
          b1 (0.9), b2 (0.999), eps (1e-8): of adam and adamw, and of what muon leaves to adam. Kingma & Ba 2015,
            algorithm 1.
          weight_decay (0): on kernels only. In sgd and adam the L2 penalty's gradient joins the gradient, as in
            PyTorch's weight_decay; in adamw and muon it is decoupled, lr * weight_decay per update (Loshchilov & Hutter
            2019,
            algorithm 2, with the rate inside as in PyTorch).
          schedule (constant): see `schedules.build`.
          clip_norm (0 = off): greatest global norm of the gradient of the trained parameters, before weight decay.
          accumulate (1): gradients of so many steps are averaged into one update; the steps between leave the
            parameters alone. The schedule counts updates.
          freeze (none): shell patterns of parameter names that are never updated and carry no optimiser state.
          lr_multipliers (none): factor of the learning rate by shell pattern; the longest match counts.
      steps: number of training steps in the run.

    Returns:
      An optax gradient transformation. Its `init` raises BadInput for a pattern that matches no parameter.

    Raises:
      BadInput: a name or field is unknown, has the wrong type or is out of range.
    """
    name, given = _read(config)
    schedule = learning_rate_of_updates(config, steps)
    decay = fields.number("optim.weight_decay", given["weight_decay"])
    penalty = optax.add_decayed_weights(decay, mask=masks.decayed) if decay else optax.identity()

    parts = []
    if clip := fields.number("optim.clip_norm", given["clip_norm"]):
        parts.append(optax.clip_by_global_norm(clip))
    if name in ("sgd", "muon"):
        momentum = fields.number("optim.momentum", given["momentum"], 0.0, 1.0)
        nesterov = fields.flag("optim.nesterov", given["nesterov"])
    if name == "sgd":
        parts += [penalty, optax.trace(momentum, nesterov=nesterov)]
    else:
        moments = optax.scale_by_adam(
            b1=fields.number("optim.b1", given["b1"], 0.0, 1.0),
            b2=fields.number("optim.b2", given["b2"], 0.0, 1.0),
            eps=fields.number("optim.eps", given["eps"]),
        )
        if name == "muon":
            moments = muon.scale_by_muon(momentum=momentum, nesterov=nesterov, rest=moments)
        parts += [penalty, moments] if name == "adam" else [moments, penalty]
    parts.append(optax.scale_by_learning_rate(schedule))
    multipliers = _multipliers(given["lr_multipliers"])
    if multipliers:
        parts.append(_multiply(multipliers))
    optimiser = optax.chain(*parts)

    accumulate = fields.whole("optim.accumulate", given["accumulate"], 1)
    if accumulate > 1:
        optimiser = optax.MultiSteps(optimiser, accumulate).gradient_transformation()
    freeze = _patterns(given["freeze"])
    if freeze:
        optimiser = _freeze(optimiser, freeze)
    return _checked(optimiser, freeze, list(multipliers))


def learning_rate(config: Mapping[str, Any], steps: int) -> schedules.Schedule:
    """Build the learning rate as a function of the training step, for the record.

    Args:
      config, steps: as in `build`.

    Returns:
      schedule(step) -> the rate of the update that the gradient of this step goes into.

    Raises:
      BadInput: as in `build`.
    """
    schedule = learning_rate_of_updates(config, steps)
    accumulate = _read(config)[1]["accumulate"]
    return lambda step: schedule(step // accumulate)


def learning_rate_of_updates(config: Mapping[str, Any], steps: int) -> schedules.Schedule:
    """Build the learning rate as a function of the number of updates; arguments and errors as in `build`."""
    _, given = _read(config)
    accumulate = fields.whole("optim.accumulate", given["accumulate"], 1)
    if steps < accumulate:
        raise BadInput(f"optim.accumulate: expected at most the {steps} steps of the run, found {accumulate}")
    return schedules.build(given["schedule"], fields.number("optim.lr", given["lr"]), steps // accumulate)


def _read(config: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    name, given = fields.read_named(config, "optim", _FIELDS)
    if given["lr"] is None:
        raise BadInput("optim.lr: expected the peak learning rate, found nothing")
    return name, given


def _patterns(value: Any) -> list[str]:
    if isinstance(value, str) or not all(isinstance(pattern, str) for pattern in value):
        raise BadInput(f"optim.freeze: expected a list of patterns of parameter names, found {value!r}")
    return list(value)


def _multipliers(value: Any) -> dict[str, float]:
    if not hasattr(value, "items"):
        raise BadInput(f"optim.lr_multipliers: expected factors by pattern of parameter names, found {value!r}")
    return {pattern: fields.number(f"optim.lr_multipliers.{pattern}", factor) for pattern, factor in value.items()}


def _multiply(multipliers: Mapping[str, float]) -> optax.GradientTransformation:
    """Scale updates by a factor per leaf. The factors are constants of the program, not state."""

    def update(updates: Any, params: Any = None) -> Any:
        return jax.tree.map(lambda factor, u: factor * u, masks.factors(updates, multipliers), updates)

    return optax.stateless(update)


def _freeze(optimiser: optax.GradientTransformation, patterns: list[str]) -> optax.GradientTransformation:
    """Train what no pattern matches; the rest gets zero updates and no state, and counts in no norm."""

    def labels(params: Any) -> Any:
        return jax.tree.map(lambda frozen: "frozen" if frozen else "trained", masks.matching(params, patterns))

    return optax.partition({"trained": optimiser, "frozen": optax.set_to_zero()}, labels)


def _checked(
    optimiser: optax.GradientTransformation, freeze: list[str], multiplied: list[str]
) -> optax.GradientTransformation:
    """Refuse, when the state is made, a pattern that matches nothing: a misspelt name would go unnoticed."""

    def init(params: Any) -> optax.OptState:
        masks.require_matches(params, freeze, "optim.freeze")
        masks.require_matches(params, multiplied, "optim.lr_multipliers")
        return optimiser.init(params)

    return optax.GradientTransformation(init, optimiser.update)
