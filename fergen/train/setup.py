"""What a config determines before the first step: data, task, input, and the compiled step."""

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from fergen.core import hosts
from fergen.core import lineage as lineages
from fergen.core import mesh as meshes
from fergen.core.errors import BadInput
from fergen.data import dataset, training_set
from fergen.tasks.private import asked
from fergen.train import inputs, privacy
from fergen.train.parts import due_of, parts_of, taker
from fergen.train.restore import restore


class Run(NamedTuple):
    """A config, resolved.

    Attributes:
        config: the ConfigDict.
        task: init, step, predict.
        source: the training input.
        validation: the split that chooses; None for a final run or a set that has none.
        lineage: what goes into the weights.
        data: hash -> name of the training set and of what went into it.
        steps: optimiser steps of the whole run, a multiple of config.scan.
        mesh: the device mesh.
        init: compiled (key) -> State, replicated.
        parts: name -> pure (state, frozen, arrays, item) -> (state, metrics); see `fergen.train.parts`.
        due: number of a step -> the parts that it runs.
        take: compiled (number of a step, state, frozen, arrays, block) -> (state, metrics), config.scan steps; the
            state is donated.
        frozen: variables of fixed networks, by name.
    """

    config: Any
    task: Any
    source: Any
    validation: dataset.Split | None
    lineage: dict[str, Any]
    data: dict[str, str]
    steps: int
    mesh: Any
    init: Callable
    parts: dict[str, Callable]
    due: Callable[[int], tuple[str, ...]]
    take: Callable
    frozen: dict[str, Any]


def prepare(config) -> Run:
    """Resolve a config; nothing is written except procedural data that is not there yet.

    Raises:
        BadInput: names the field that is wrong.
    """
    check(config)
    mesh = meshes.build()
    with hosts.first_alone():
        train, validation = training_set.build(config.data)
    k = config.scan
    # Whole dispatches only, so that a resumed run cuts its dispatches where an uninterrupted one does.
    steps = max(1, round((config.steps or config.epochs * len(train) / config.batch_size) / k)) * k
    module = task_module(config.task)
    fixed = {name: restore(reference) for name, reference in module.references(config).items()}
    data = lineages.of_data(train.spec.name, train.spec.hash, train.spec.lineage)
    for role, net in fixed.items():
        privacy.require_unseen(config, data["data"], f"{role}.reference", net)
    task = module.build(config, train, steps, fixed)
    source = inputs.build(config, train, mesh, steps=steps, private=asked(config))
    lineage = lineages.merge(data, *(net.lineage for net in fixed.values()))
    whole = meshes.replicated(mesh)
    frozen = {name: meshes.place(net.variables, whole) for name, net in fixed.items()}
    init = jax.jit(lambda key: task.init(key, source.spec), out_shardings=whole)
    parts, due = parts_of(task, source, run_key(config)), due_of(task)
    take = taker(parts, due, k, whole)
    return Run(config, task, source, validation, lineage, data["data"], steps, mesh, init, parts, due, take, frozen)


def check(config) -> None:
    """Check the fields that every task has.

    Raises:
        BadInput: names the first field that is out of range.
    """
    if "study" in config:
        raise BadInput(f"--config={config.name}: this is a study of several trainings: use fergen study")
    if asked(config) and not getattr(task_module(config.task), "PRIVATE", False):
        field = "epsilon" if config.privacy.epsilon else "noise_multiplier"
        raise BadInput(
            f"--config.privacy.{field}={config.privacy[field]:g}: expected 0 with task {config.task}, as classifier and"
            " cvae alone have differentially private training"
        )
    for field in ("batch_size", "scan", "keep"):
        if config[field] < 1:
            raise BadInput(f"--config.{field}={config[field]}: expected 1 or more")
    if config.epochs <= 0:
        raise BadInput(f"--config.epochs={config.epochs}: expected more than 0")
    if config.steps < 0:
        raise BadInput(f"--config.steps={config.steps}: expected 0, as many as the epochs have, or more")
    for field in ("log_every", "eval_every", "save_every"):
        if config[field] < 1 or config[field] % config.scan:
            raise BadInput(f"--config.{field}={config[field]}: expected a multiple of --config.scan={config.scan}")
    if config.precision not in ("float32", "bfloat16"):
        raise BadInput(f"--config.precision={config.precision}: expected float32 or bfloat16")
    if not 0 <= config.ema < 1:
        raise BadInput(f"--config.ema={config.ema}: expected a decay in [0, 1), 0 for no average")
    if config.rng not in ("threefry2x32", "rbg"):
        raise BadInput(f"--config.rng={config.rng}: expected threefry2x32 or rbg")


def task_module(name: str):
    """Return the module of a task.

    Raises:
        BadInput: there is no such file in fergen/tasks.
    """
    try:
        return importlib.import_module(f"fergen.tasks.{name}")
    except ModuleNotFoundError:
        raise BadInput(f"--config.task={name}: expected the name of a file in fergen/tasks, found none such") from None


def run_key(config) -> jax.Array:
    """Return the key from which everything random in a run is derived."""
    return jax.random.key(config.seed, impl=config.rng)
