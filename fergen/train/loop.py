"""The one training loop. Its order is part of the contract: evaluate, save, next batch, step.

A run killed at any moment resumes from its last checkpoint and ends with the same bits as one that never was: all
randomness is derived from (seed, step), the sample order from (seed, epoch), and dispatches start at multiples of k.
"""

import contextlib
import importlib
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import jax
import numpy as np

import fergen
from fergen.core import hosts
from fergen.core import lineage as lineages
from fergen.core import mesh as meshes
from fergen.core.clock import Progress
from fergen.core.errors import BadInput, NonFinite, Preempted
from fergen.core.paths import write_json
from fergen.core.record import FIRST_STAGE
from fergen.core.tree import count, nonfinite
from fergen.evals import sheet
from fergen.train import privacy
from fergen.train.checkpoints import Checkpoints, locked, steps
from fergen.train.initial import initialise
from fergen.train.restore import Restored, restore
from fergen.train.setup import Run, prepare, run_key, task_module
from fergen.train.writer import Writer

# What may change between a run and its resumption: nothing that the weights depend on.
FREE = ("keep", "tensorboard", "log_every", "eval_every", "save_every", "name", "data.stream")


def run(config, workdir: str | Path, *, quiet: bool = False) -> dict[str, Any]:
    """Train a config to its end, resuming what is there.

    Args:
        config: a ConfigDict from `fergen.core.config.load`.
        workdir: folder of the run; made if absent, resumed if it holds checkpoints.
        quiet: print no progress.

    Returns:
        The last metrics by name, with `step`, `seconds` (of wall time in the loop, over all resumptions) and `workdir`.

    Raises:
        BadInput: the config, the data or the workdir is wrong.
        NonFinite: the loss or a parameter is not finite.
        Preempted: SIGTERM or SIGINT came; the state was saved.
    """
    workdir = Path(workdir)
    # Resolved first: what is refused leaves no workdir behind. A run that has begun needs its init_from no more.
    this = prepare(config)
    initial = restore(config.init_from) if config.init_from and not steps(workdir) else None
    if initial:
        privacy.require_unseen(config, this.data, "init_from", initial)
    with locked(workdir), stop_signals() as stop:
        saver = Checkpoints(workdir, config.keep)
        writer = Writer(workdir, tensorboard=config.tensorboard)
        with contextlib.closing(saver), contextlib.closing(writer):
            metrics = train(this, workdir, saver, writer, stop, initial=initial, quiet=quiet)
        writer.draw()
        if metrics["step"] < this.steps:
            raise Preempted(
                f"{workdir}: stopped at step {metrics['step']} of {this.steps}, all saved; repeat the command to go on"
            )
        return metrics


def train(
    this: Run,
    workdir: Path,
    saver: Checkpoints,
    writer: Writer,
    stop: threading.Event,
    *,
    initial: Restored | None,
    quiet: bool,
) -> dict[str, Any]:
    """Start or resume, then loop; see `run`."""
    config, k = this.config, this.config.scan
    state, lineage, clock = start(this, saver, initial, quiet=quiet)
    step = began_at = int(state.step)
    hosts.require_equal(step, f"{workdir}: the step to go on from")
    writer.resume(step)
    if jax.process_index() == 0:
        write_json(workdir / "config.json", config.to_dict())
    if not quiet:
        sizes = ", ".join(f"{name} {count(net.params):,} parameters" for name, net in state.nets.items())
        print(f"{config.name}: {sizes}; {this.source.n:,} images, {step} of {this.steps} steps done, batch"
              f" {config.batch_size}, {this.mesh.size} device(s)", file=sys.stderr, flush=True)  # fmt: skip

    several = this.mesh if this.mesh.size > 1 else None
    guarantee = getattr(this.task, "privacy", None)
    evaluate, picture = evaluator(this), sheet.build(this.task.predict, this.task.spec, mesh=several)
    progress = Progress((this.steps - step) * config.batch_size, label="train", quiet=quiet)
    began, inside = time.monotonic(), 0.0
    while True:
        done = step >= this.steps
        scores = {}
        if step > began_at:
            if evaluate and (step % config.eval_every == 0 or done):
                scores = evaluate(this.task.weights(state))
                if step <= getattr(this.task, "alone", 0):
                    scores[FIRST_STAGE] = 1.0
                writer.write(step, scores)
            if guarantee and (step % config.eval_every == 0 or done):
                writer.write(step, {"privacy/epsilon": guarantee.epsilon(step)})
            if picture and (step % config.eval_every == 0 or done):
                writer.samples(step, picture(this.task.weights(state)), this.task.spec)
        # What ends here has been saved; all hosts stop at the same step, whichever was asked to.
        stopping = hosts.any_of(stop.is_set())
        if step > began_at and (step % config.save_every == 0 or done or stopping):
            require_finite(state, step)
            spent = clock["seconds"] + time.monotonic() - began
            meta = {
                "clock": {"seconds": spent, "images": step * config.batch_size},
                "config": config.to_dict(),
                "spec": this.task.spec,
                "lineage": lineage,
                "versions": {"fergen": fergen.__version__, "jax": jax.__version__},
                **({"privacy": guarantee.card(step)} if guarantee else {}),
            }
            saver.save(step, state, this.task.weights(state), meta, scores)
            # A request that came meanwhile is met by this very checkpoint.
            stopping = hosts.any_of(stop.is_set())
        if done or stopping:
            break
        block = this.source.block(step, k)
        called = time.monotonic()
        state, metrics = this.take(step, state, this.frozen, this.source.arrays, block)
        step += k
        jax.block_until_ready(metrics)
        inside += time.monotonic() - called
        writer.log(step, metrics, every=config.log_every)
        if not np.isfinite(metrics["loss"]):
            require_finite(state, step)
            bad = ", ".join(name for name, value in metrics.items() if not np.isfinite(value))
            raise NonFinite(f"step {step}: {bad} not finite, all parameters still are; lower the learning rate")
        progress.update(k * config.batch_size, note=writer.note())
    progress.close()
    wall = time.monotonic() - began
    if not quiet and inside:
        print(f"train: {wall - inside:.1f} s of {wall:.1f} s outside the compiled step", file=sys.stderr)
    if guarantee and not quiet:
        print(guarantee.line(step), file=sys.stderr)
    # A mark of rows, not a figure.
    writer.last.pop(FIRST_STAGE, None)
    return {**writer.last, "step": step, "seconds": clock["seconds"] + wall, "workdir": str(workdir)}


def evaluator(this: Run) -> Callable | None:
    """Return variables -> scores on the validation split, of the kind that the task's module names."""
    kind = task_module(this.config.task).EVALUATOR
    if not kind or this.validation is None:
        return None
    return importlib.import_module(f"fergen.evals.{kind}").build(this.task.predict, this.validation, mesh=this.mesh)


def start(this: Run, saver: Checkpoints, initial: Restored | None, *, quiet: bool) -> tuple[Any, dict, dict]:
    """Return (state, lineage, clock). The order: the run's own last checkpoint, then init_from, then scratch."""
    whole = meshes.replicated(this.mesh)
    key = run_key(this.config)
    restored = saver.restore(jax.eval_shape(this.init, key), whole)
    if restored:
        state, meta = restored
        require_same_run(meta, this)
        if not quiet:
            finished = "already finished" if meta["step"] >= this.steps else "resumed"
            print(f"{finished}: step {meta['step']} of {this.steps}", file=sys.stderr, flush=True)
        return state, meta["lineage"], meta["clock"]
    state, lineage = this.init(key), this.lineage
    if initial:
        state = meshes.place(initialise(state, initial), whole)
        lineage = lineages.merge(lineage, initial.lineage)
    return state, lineage, {"seconds": 0.0, "images": 0}


def require_same_run(meta: dict[str, Any], this: Run) -> None:
    """Check that a checkpoint is of this config and this data.

    Raises:
        BadInput: names the first field that differs.
    """
    ours, theirs = flat(this.config.to_dict()), flat(meta["config"])
    for field in sorted(ours.keys() | theirs.keys()):
        if field not in FREE and ours.get(field) != theirs.get(field):
            raise BadInput(
                f"this workdir was begun with config.{field} = {theirs.get(field)}, now it is {ours.get(field)};"
                " take another --workdir, or the former value"
            )
    for kind, what in (("data", "the data set {} has"), ("weights", "the weights {} have")):
        for digest, name in this.lineage[kind].items():
            if digest not in meta["lineage"][kind]:
                raise BadInput(f"{what.format(name)} changed since this workdir was begun; take another --workdir")


def flat(fields: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested fields as {'optim.lr': value}, as JSON would keep them."""
    found: dict[str, Any] = {}
    for name, value in fields.items():
        nested = flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
        found |= {n: list(v) if isinstance(v, tuple) else v for n, v in nested.items()}
    return found


def require_finite(state: Any, step: int) -> None:
    """Check that every leaf is finite.

    Raises:
        NonFinite: names the networks that are not, and the first leaf; no checkpoint is written of it.
    """
    bad = nonfinite(state)
    if bad:
        nets = dict.fromkeys(name.split("/")[1] for name in bad if name.startswith("nets/"))
        of = f" of {', '.join(nets)}" if nets else ""
        raise NonFinite(
            f"step {step}: {len(bad)} arrays{of} are not finite, {bad[0]} the first; the last checkpoint is whole;"
            " lower the learning rate"
        )


@contextlib.contextmanager
def stop_signals() -> Generator[threading.Event]:
    """Turn SIGTERM and SIGINT into a flag that the loop looks at between dispatches."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def ask(number: int, _) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()
        print("\nsaving, then stopping; again to stop at once", file=sys.stderr, flush=True)

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    except Preempted:
        # The process is about to say so and end; asked twice, as by SLURM and by a launcher, it still does.
        before = dict.fromkeys(before, signal.SIG_IGN)
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
