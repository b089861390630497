"""Checked reading of a group of config fields: errors name the field and what may stand there."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from fergen.core.errors import BadInput


def read_named(
    config: Mapping[str, Any], where: str, choices: Mapping[str, Mapping[str, Any]]
) -> tuple[str, dict[str, Any]]:
    """Take a config whose field `name` decides which others there are, and fill in defaults.

    Args:
      config: mapping of fields; None as a value means the default.
      where: name of the config in messages, "optim" or "optim.schedule".
      choices: for every name, the fields that may be given with their defaults.

    Returns:
      The name, and all other fields.

    Raises:
      BadInput: this is no mapping, the name is not among the choices, or a field is not among that name's fields.
    """
    if not hasattr(config, "items"):
        raise BadInput(f"{where}: expected fields, found {config!r}")
    given = {field: value for field, value in config.items() if value is not None}
    name = given.pop("name", None)
    if not isinstance(name, str) or name not in choices:
        raise BadInput(f"{where}.name: expected one of {', '.join(choices)}, found {name!r}")
    for field in given:
        if field not in choices[name]:
            raise BadInput(f"{where}.{field}: unknown field of {name}; its fields are {', '.join(choices[name])}")
    return name, {**choices[name], **given}


def pairs(where: str, texts: Sequence[str]) -> dict[str, str]:
    """Read a field that lists things by name: ("flow=runs/flow", ...) as name -> what stands behind the first `=`.

    Args:
        where: name of the field in messages.
        texts: one NAME=VALUE each; the value may be empty.

    Raises:
        BadInput: another form, or a name that stands there twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals or name in found:
            raise BadInput(f"--config.{where}: expected different names as ('NAME=VALUE', ...), found {text!r}")
        found[name] = value
    return found


def require_exact(where: str, given: Mapping[str, Any], known: Sequence[str]) -> None:
    """Check that a group has the known fields and no other.

    Raises:
      BadInput: names a field that is missing or unknown.
    """
    for name in (*known, *given):
        if name not in given or name not in known:
            raise BadInput(f"{where}.{name}: expected the fields {', '.join(known)}, found {', '.join(given)}")


def number(where: str, value: Any, least: float = 0.0, greatest: float = math.inf) -> float:
    """Check that a value is a finite number in a range and return it."""
    wrong = isinstance(value, bool) or not isinstance(value, int | float)
    if wrong or not math.isfinite(value) or not least <= value <= greatest:
        raise BadInput(f"{where}: expected a number {bounds(least, greatest)}, found {value!r}")
    return float(value)


def whole(where: str, value: Any, least: int, greatest: float = math.inf) -> int:
    """Check that a value is a whole number in a range and return it."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= greatest:
        raise BadInput(f"{where}: expected a whole number {bounds(least, greatest)}, found {value!r}")
    return value


def bounds(least: float, greatest: float) -> str:
    """Say a range in words."""
    return f"of at least {least:g}" if greatest == math.inf else f"from {least:g} to {greatest:g}"


def flag(where: str, value: Any) -> bool:
    """Check that a value is True or False and return it."""
    if not isinstance(value, bool):
        raise BadInput(f"{where}: expected True or False, found {value!r}")
    return value
