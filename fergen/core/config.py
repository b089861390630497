"""Configs: one Python file per experiment whose `get_config(arg)` returns a ConfigDict.

A config is named by a path (`configs/fer2013_small.py`) or by its stem (`fer2013_small`), optionally with an
argument (`procedural_small.py:smoke`). Fields are overridden as `--config.optim.lr=0.01`; an unknown field or a value
of another type is an error that names the field.
"""

import ast
import difflib
import sys
import types
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import ml_collections

from fergen.core.errors import BadInput

PACKAGE = Path(__file__).resolve().parents[1]
# In a wheel the configs lie inside the package, in a checkout beside it.
SHIPPED = (PACKAGE / "configs", PACKAGE.parent / "configs")


def names() -> list[str]:
    """Return the stems of the configs that ship."""
    return sorted({p.stem for folder in SHIPPED for p in folder.glob("*.py") if p.stem != "__init__"})


def find(reference: str) -> Path:
    """Return the file of a config named by path or stem.

    Raises:
        BadInput: there is none; lists the nearest names.
    """
    path = Path(reference)
    if path.suffix == ".py" and path.is_file():
        return path.resolve()
    for folder in SHIPPED:
        shipped = folder / f"{path.stem}.py"
        if shipped.is_file() and (path.parent == Path(".") or path.parent.name == "configs"):
            return shipped
    near = difflib.get_close_matches(path.stem, names(), n=3)
    hint = f"try one of: {', '.join(near)}" if near else "fergen train --help lists those that there are"
    raise BadInput(f"--config={reference}: no such config; {hint}")


def load(reference: str, overrides: Iterable[str] = ()) -> ml_collections.ConfigDict:
    """Load a config and apply overrides.

    Args:
        reference: path or stem, optionally `:argument`.
        overrides: texts 'field.sub=value'.

    Returns:
        The locked ConfigDict, with `name` set to the file's stem unless the config sets it.

    Raises:
        BadInput: no such file, an error inside it, an unknown field, a value of the wrong type.
    """
    reference, _, argument = str(reference).partition(":")
    module = module_of(find(reference))
    try:
        config = module.get_config(argument) if argument else module.get_config()
    except BadInput:
        raise
    except Exception as error:
        raise BadInput(f"--config={reference}:{argument}: {type(error).__name__}: {error}") from None
    config = ml_collections.ConfigDict(config)
    if "name" not in config:
        config.name = module.__name__.rpartition(".")[2] + (f"_{argument.replace('/', '_')}" if argument else "")
    config.lock()
    for override in overrides:
        field, equals, text = override.partition("=")
        if not equals:
            raise BadInput(f"--config.{field}: expected --config.FIELD=VALUE, found no '='")
        assign(config, field, text)
    return config


def module_of(path: Path) -> types.ModuleType:
    """Import a config file as `configs.<stem>`, so that configs can import one another from their own folder."""
    package = types.ModuleType("configs")
    package.__path__ = [str(path.parent), *(str(folder) for folder in SHIPPED if folder.is_dir())]
    sys.modules["configs"] = package
    for loaded in [name for name in sys.modules if name.startswith("configs.")]:
        del sys.modules[loaded]
    name = f"configs.{path.stem}"
    module = types.ModuleType(name)
    module.__file__, module.__package__ = str(path), "configs"
    sys.modules[name] = module
    try:
        exec(compile(path.read_bytes(), path, "exec"), module.__dict__)
    except Exception as error:
        raise BadInput(f"{path}: {type(error).__name__}: {error}") from None
    if not hasattr(module, "get_config"):
        raise BadInput(f"{path}: expected a function get_config(), found none")
    return module


def assign(config: ml_collections.ConfigDict, field: str, text: str) -> None:
    """Set one field from its text, with the type that the config gives it."""
    node: Any = config
    *parents, last = field.split(".")
    for depth, key in enumerate([*parents, last]):
        if not isinstance(node, ml_collections.ConfigDict) or key not in node:
            known = list(node.keys()) if isinstance(node, ml_collections.ConfigDict) else []
            at = ".".join(["config", *parents[:depth]])
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; it has: {', '.join(sorted(known)) or 'none'}"
            raise BadInput(f"--config.{field}: {at} has no field '{key}'{hint}")
        if depth < len(parents):
            node = node[key]
    held = node[last]
    value = parse(text, held, f"--config.{field}")
    try:
        node[last] = value
    except (TypeError, ValueError) as error:
        raise BadInput(f"--config.{field}={text}: expected {type(held).__name__} ({error})") from None


def parse(text: str, held: Any, name: str) -> Any:
    """Read a value's text as the type of the one it replaces.

    Args:
        text: as typed.
        held: the value that it replaces.
        name: of the option in messages, `--config.optim.lr`.

    Raises:
        BadInput: it is of another type.
    """
    if isinstance(held, ml_collections.ConfigDict):
        raise BadInput(f"{name} is a group; set one of its fields: {', '.join(sorted(held.keys()))}")
    if isinstance(held, str):
        return text
    try:
        value = ast.literal_eval({"true": "True", "false": "False", "none": "None"}.get(text, text))
    except (ValueError, SyntaxError):
        value = text
    if held is None:
        return value
    if isinstance(held, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(held, (tuple, list)) and isinstance(value, (tuple, list)):
        return type(held)(value)
    if isinstance(held, (tuple, list)) and all(isinstance(item, str) for item in held):
        return type(held)(part.strip() for part in text.split(","))  # names need neither quotes nor brackets
    if type(value) is not type(held):
        raise BadInput(f"{name}={text}: expected {type(held).__name__}, found {type(value).__name__}")
    return value
