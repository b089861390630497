"""What a config determines before the first step: data, task, input, and the compiled step."""

import functools
import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from fergen.core import lineage as lineages
from fergen.core import mesh as meshes
from fergen.core.errors import BadInput
from fergen.data import dataset, labels
from fergen.train import inputs
from fergen.train.restore import restore


class Run(NamedTuple):
    """A config, resolved.

    Attributes:
        config: the ConfigDict.
        task: init, step, predict.
        source: the training input.
        validation: the split that chooses; None for a final run or a set that has none.
        lineage: what goes into the weights.
        steps: optimiser steps of the whole run, a multiple of config.scan.
        mesh: the device mesh.
        init: compiled (key) -> State, replicated.
        one: pure (state, frozen, arrays, item) -> (state, metrics), one step; of the last phase, where there are such.
        phases: first step -> compiled (state, frozen, arrays, block) -> (state, metrics), config.scan steps; the state
            is donated. In order; one unless the task's training has several.
        frozen: variables of fixed networks, by name.
    """

    config: Any
    task: Any
    source: Any
    validation: dataset.Split | None
    lineage: dict[str, Any]
    steps: int
    mesh: Any
    init: Callable
    one: Callable
    phases: dict[int, Callable]
    frozen: dict[str, Any]

    def dispatch(self, step: int) -> Callable:
        """Return what takes the config.scan steps from this one on."""
        return self.phases[max(first for first in self.phases if first <= step)]


def prepare(config) -> Run:
    """Resolve a config; nothing is written except procedural data that is not there yet.

    Raises:
        BadInput: names the field that is wrong.
    """
    check(config)
    mesh = meshes.build()
    train, validation = splits(config.data)
    source = inputs.build(config, train, mesh)
    k = config.scan
    # Whole dispatches only, so that a resumed run cuts its dispatches where an uninterrupted one does.
    steps = max(1, round(config.epochs * len(train) / config.batch_size / k)) * k
    module = task_module(config.task)
    fixed = {name: restore(reference) for name, reference in module.references(config).items()}
    task = module.build(config, train, steps, fixed)
    lineage = lineages.merge(
        lineages.of_data(train.spec.name, train.spec.hash, train.spec.lineage), *(net.lineage for net in fixed.values())
    )
    whole = meshes.replicated(mesh)
    frozen = {name: meshes.place(net.variables, whole) for name, net in fixed.items()}
    init = jax.jit(lambda key: task.init(key, source.spec), out_shardings=whole)
    # Compiled one by one, when their turn comes: a branch within one program costs XLA's CPU backend half of its speed.
    steps_of = getattr(task, "phases", {0: task.step})
    ones = {first: one_step(step, source, run_key(config)) for first, step in steps_of.items()}
    phases = {first: dispatch_of(one, k, whole) for first, one in ones.items()}
    return Run(config, task, source, validation, lineage, steps, mesh, init, ones[max(ones)], phases, frozen)


def check(config) -> None:
    """Check the fields that every task has.

    Raises:
        BadInput: names the first field that is out of range.
    """
    if "study" in config:
        raise BadInput(f"--config={config.name}: this is a study of several trainings: use fergen study")
    for field in ("batch_size", "scan", "keep"):
        if config[field] < 1:
            raise BadInput(f"--config.{field}={config[field]}: expected 1 or more")
    if config.epochs <= 0:
        raise BadInput(f"--config.epochs={config.epochs}: expected more than 0")
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


def splits(options) -> tuple[dataset.Split, dataset.Split | None]:
    """Return (training set, validation set or None) of a config's `data` group."""
    if options.split not in ("train", "train+validation"):
        raise BadInput(f"--config.data.split={options.split}: expected train or train+validation (a final run)")
    if options.stream and options.split != "train":
        raise BadInput(f"--config.data.split={options.split}: streamed input reads one split, train")
    if options.stream and options.get("only", ""):
        raise BadInput(f"--config.data.only={options.only}: streamed input reads all classes; leave data.stream False")
    name, vocabulary, kind = options.name, options.vocabulary or None, options.labels
    train = dataset.load_or_prepare(name, "train", vocabulary=vocabulary, labels=kind, images=not options.stream)
    only = options.get("only", "")
    if only:
        train = labels.only(train, only)
    if "validation" not in train.spec.splits:
        return train, None
    validation = dataset.load(name, "validation", vocabulary=vocabulary, labels=kind)
    if only:
        validation = labels.only(validation, only)
    if options.split == "train+validation":
        # What was trained on can choose nothing: a final run has a frozen schedule and no validation.
        return labels.join(train, validation), None
    return train, validation


def one_step(step: Callable, source, key: jax.Array) -> Callable:
    """Return (state, frozen, arrays, item of the input) -> (state, metrics), with the step's own key."""

    def one(state, frozen, arrays, item):
        batch = source.read(arrays, item)
        return step(state, batch, jax.random.fold_in(key, state.step), frozen)

    return one


def dispatch_of(one: Callable, k: int, sharding) -> Callable:
    """Return (state, frozen, arrays, block of k batches) -> (state, metrics averaged over the k steps).

    On accelerators the k steps are one compiled scan. XLA's CPU backend runs the body of a loop on one core (85
    images/s where the step alone does 280), so there one compiled step is called k times; the numbers are the same.
    """

    def many(state, frozen, arrays, block):
        state, metrics = jax.lax.scan(lambda s, item: one(s, frozen, arrays, item), state, block, length=k)
        return state, jax.tree.map(lambda m: m.mean(0), metrics)

    def single(state, frozen, arrays, block, i):
        return one(state, frozen, arrays, jax.tree.map(lambda x: x[i], block))

    jit = functools.partial(jax.jit, donate_argnums=(0,), out_shardings=(sharding, sharding))
    if jax.default_backend() != "cpu":
        return jit(many)
    step, mean = jit(single), jax.jit(lambda all_metrics: jax.tree.map(lambda *m: jnp.stack(m).mean(0), *all_metrics))

    def repeat(state, frozen, arrays, block):
        seen = []
        for i in range(k):
            state, metrics = step(state, frozen, arrays, block, np.int32(i))
            # Collectives of several virtual devices can stall when dispatches pile up.
            seen.append(jax.block_until_ready(metrics))
        return state, mean(seen)

    return repeat
