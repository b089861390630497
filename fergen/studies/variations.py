"""One experiment with some of its fields varied: a grid, random draws, or the variations that its config names."""

import ast
import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from fergen.core import config as configs
from fergen.core.errors import BadInput
from fergen.studies.runs import Measured, Member, Study

Arms = dict[str, tuple[str, ...]]
TRIES = 100  # draws for each random combination, of which some come twice


def parsed(text: str) -> tuple[str, list[str]]:
    """Read "optim.lr=0.1|0.2" as a field and its values.

    Raises:
        BadInput: another form.
    """
    field, equals, listed = text.partition("=")
    if not (field and equals and listed):
        raise BadInput(f"fields: expected FIELD=VALUE|VALUE such as optim.lr=0.1|0.2, found '{text}'")
    return field, listed.split("|")


def grid(fields: Sequence[str]) -> Arms:
    """Return every combination: arm -> overrides."""
    each = [[f"{field}={value}" for value in values] for field, values in map(parsed, fields)]
    return {", ".join(combination): combination for combination in itertools.product(*each)}


def random(fields: Sequence[str], n: int, seed: int) -> Arms:
    """Return n different random combinations: arm -> overrides; all there are, where they are fewer.

    Args:
        fields: as of `grid`; a value LOW..HIGH is drawn between the two, log-uniformly if both are above 0 and HIGH is
            at least ten times LOW.
        n: how many.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    found: Arms = {}
    for _ in range(TRIES * n):
        drawn = tuple(f"{field}={draw(rng.choice(values), rng, field)}" for field, values in map(parsed, fields))
        found[", ".join(drawn)] = drawn
        if len(found) == n:
            break
    return found


def draw(value: str, rng: np.random.Generator, field: str) -> str:
    """Return a value as it is, or a number from the range that it names."""
    low, dots, high = str(value).partition("..")
    if not dots:
        return low
    try:
        least, most = (ast.literal_eval(end) for end in (low, high))
    except (ValueError, SyntaxError):
        raise BadInput(f"fields: {field}={value}: expected numbers LOW..HIGH") from None
    if isinstance(least, int) and isinstance(most, int):
        return str(rng.integers(least, most + 1))
    logarithmic = least > 0 and most >= 10 * least
    found = np.exp(rng.uniform(*np.log([least, most]))) if logarithmic else rng.uniform(least, most)
    return f"{found:.4g}"


def named(reference: str) -> Arms:
    """Return the variations that a config's own `sweep()` yields: arm -> overrides.

    Raises:
        BadInput: it has none, or one of another form.
    """
    module = configs.module_of(configs.find(reference.partition(":")[0]))
    if not hasattr(module, "sweep"):
        raise BadInput(
            f"--config={reference}: expected a function sweep() beside get_config(), yielding (name, {{field: value}})"
        )
    found: Arms = {}
    for item in module.sweep():
        if not (isinstance(item, tuple) and len(item) == 2 and isinstance(item[1], Mapping)):
            raise BadInput(f"--config={reference}: sweep(): expected (name, {{field: value}}), found {item!r}")
        if item[0] in found:
            raise BadInput(f"--config={reference}: sweep(): expected different names, found '{item[0]}' twice")
        found[item[0]] = tuple(f"{field}={value}" for field, value in item[1].items())
    return found


def members(
    study: Study,
    experiment: str,
    arms: Mapping[str, Sequence[str]],
    *,
    measured: Sequence[Measured],
    seeds: int,
    overrides: Sequence[str] = (),
) -> list[Member]:
    """Return the runs of an experiment's variations.

    Args:
        study: where they go.
        experiment: the config's name.
        arms: name -> overrides.
        measured: of each.
        seeds: runs of each arm.
        overrides: of all.

    Raises:
        BadInput: a field that the experiment lacks, before anything is trained.
    """
    for fields in arms.values():
        configs.load(experiment, (*overrides, *fields))
    return [
        study.member(arm, experiment, (*overrides, *fields), measured=measured, seed=seed)
        for arm, fields in arms.items()
        for seed in range(seeds)
    ]
