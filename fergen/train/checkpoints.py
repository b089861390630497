"""Checkpoints: state + clock + config + spec + lineage, written by Orbax in the background, with an own checksum.

The weights for use are an item of their own, so inference never reads an optimiser. Orbax v0 is used here and nowhere
else. Orbax restores flipped bits in array data without a word, so every leaf's CRC-32 is kept beside it and checked.
"""

import contextlib
import fcntl
import json
import logging
import shutil
import sys
import time
import zlib
from collections.abc import Generator
from pathlib import Path
from typing import IO, Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers as policies

from fergen.core import hosts, parent
from fergen.core.errors import BadInput, FergenError
from fergen.core.paths import plain
from fergen.core.record import quality
from fergen.core.tree import leaf_names, nest

FOLDER = "checkpoints"
FORMAT = 1
# Orbax tells every step of its work to absl's log; what a user must know, this module says.
logging.getLogger("absl").setLevel(logging.CRITICAL)
# A failed save leaves unfinished tasks behind, and the event loop's own report of each comes after our one clear line.
logging.getLogger("asyncio").setLevel(logging.CRITICAL)
# A save also needs room for the file system's own records; a margin keeps the disk from filling to the last byte.
MARGIN = 32 << 20


class DiskFull(FergenError):
    """A save did not fit on the disk; the checkpoint before it is whole."""


class Damaged(Exception):
    """A checkpoint that cannot be trusted, with the reason."""


def steps(workdir: str | Path) -> list[int]:
    """Return the steps of the checkpoints in a workdir, ascending."""
    folder = Path(workdir) / FOLDER
    return sorted(int(p.name) for p in folder.glob("*") if p.name.isdigit()) if folder.is_dir() else []


def checksums(tree: Any) -> dict[str, str]:
    """Return each leaf's type, shape and the CRC-32 of its bytes, by name."""
    sums = {}
    for name, leaf in leaf_names(tree).items():
        array = np.asarray(leaf)
        sums[name] = f"{form(array)} {zlib.crc32(np.ascontiguousarray(array).tobytes()):08x}"
    return sums


def form(leaf: Any) -> str:
    """Return a leaf's type and shape as text."""
    return f"{leaf.dtype.name}[{','.join(map(str, leaf.shape))}]"


def as_dict(tree: Any) -> dict:
    """Return any pytree as nested dicts of its leaves, the form that is stored: it outlives changes of classes."""
    return nest(leaf_names(tree))


class Checkpoints:
    """The checkpoints of one run.

    Args:
        workdir: the run's folder.
        keep: how many of the newest to keep; the best by validation is kept beside them.
    """

    def __init__(self, workdir: str | Path, keep: int = 2):
        self.folder = (Path(workdir) / FOLDER).resolve()
        # best_fn with max_to_keep would delete the newest step; the policies keep either.
        keep_best = policies.BestN(get_metric_fn=lambda metrics: metrics["quality"], n=1)
        options = ocp.CheckpointManagerOptions(
            preservation_policy=policies.AnyPreservationPolicy([policies.LatestN(keep), keep_best]),
            create=True,
            enable_async_checkpointing=True,
        )
        self.manager = ocp.CheckpointManager(self.folder, options=options)

    def save(self, step: int, state: Any, weights: Any, meta: dict[str, Any], metrics: dict[str, float]) -> None:
        """Start writing a checkpoint; the arrays are copied before this returns, so the state may be donated.

        Args:
            step: its number.
            state: all that training needs.
            weights: for use.
            meta: JSON beside them.
            metrics: scores of this very step, by which the best is kept; empty if it was not measured.

        Raises:
            DiskFull: this save, or the one before that was still being written, did not fit.
        """
        state, weights = as_dict(state), as_dict(weights)
        size = sum(leaf.nbytes for leaf in jax.tree.leaves((state, weights)))
        free = shutil.disk_usage(self.folder).free
        if free < size + MARGIN:
            raise DiskFull(
                f"{self.folder}: saving step {step} needs {size + MARGIN:,} bytes, {free:,} are free;"
                " make room and repeat the command: it continues from the checkpoint before"
            )
        meta = json.loads(json.dumps(meta, default=plain))
        meta = {
            **meta,
            "format": FORMAT,
            "step": step,
            "state_sums": checksums(state),
            "weight_sums": checksums(weights),
        }
        best = quality(metrics)
        with disk_errors(self.folder, step):
            self.manager.save(
                step,
                args=ocp.args.Composite(
                    state=ocp.args.StandardSave(state),
                    weights=ocp.args.StandardSave(weights),
                    meta=ocp.args.JsonSave({**meta, "seal": seal(meta)}),
                ),
                metrics=None if best is None else {"quality": best},
                force=True,
            )

    def wait(self) -> None:
        """Block until what was started is on disk.

        Raises:
            DiskFull: it did not fit.
        """
        with disk_errors(self.folder, self.manager.latest_step()):
            self.manager.wait_until_finished()

    def restore(self, target: Any, sharding: Any) -> tuple[Any, dict[str, Any]] | None:
        """Return the newest whole checkpoint as (state, meta), or None when there is none.

        Args:
            target: a state of the run's shapes and types; what is restored has its structure.
            sharding: where the arrays go.

        Raises:
            BadInput: the checkpoint is of another architecture, or every checkpoint is damaged.
        """
        found = steps(self.folder.parent)
        for step in reversed(found):
            damage = None
            try:
                meta = read_meta(self.folder / str(step))
                # Names and shapes come from the meta, so that another architecture is told from damage.
                require_forms(meta["state_sums"], as_dict(target), f"checkpoint {self.folder / str(step)}")
                stored = read_item(self.folder / str(step), "state", as_dict(target), sharding)
                verify(stored, meta["state_sums"])
            except Damaged as error:
                damage = error
            # What one host cannot read, no host goes on from.
            if hosts.any_of(damage is not None):
                words = damage or "as another process of this job read it"
                print(f"fergen: checkpoint {step} is damaged ({words}); trying the one before it", file=sys.stderr)
                continue
            self.drop_after(step)
            return jax.tree.unflatten(jax.tree.structure(target), in_order(stored, target)), meta
        if found:
            raise BadInput(f"{self.folder}: all {len(found)} checkpoints are damaged; remove the folder to start over")
        return None

    def drop_after(self, step: int) -> None:
        """Set the checkpoints after `step` aside: they are damaged, and their numbers will be written again."""
        with hosts.first_alone():
            for later in [s for s in steps(self.folder.parent) if s > step]:
                aside = self.folder.parent / "damaged" / str(later)
                shutil.rmtree(aside, ignore_errors=True)
                aside.parent.mkdir(exist_ok=True)
                (self.folder / str(later)).rename(aside)
        self.manager.reload()

    def close(self) -> None:
        """Wait for what was started, then let go."""
        self.wait()
        self.manager.close()


def read_weights(workdir: str | Path, step: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return (weights for use as nested dicts of numpy arrays, meta) of one checkpoint.

    Raises:
        BadInput: it is damaged.
    """
    folder = (Path(workdir) / FOLDER / str(step)).resolve()
    try:
        meta = read_meta(folder)
        weights = read_item(folder, "weights", None, None)
        verify(weights, meta["weight_sums"])
    except Damaged as damage:
        raise BadInput(f"{folder}: the checkpoint is damaged ({damage}); take another step") from None
    return weights, meta


def read_meta(folder: Path) -> dict[str, Any]:
    """Read and check a checkpoint's meta.

    Raises:
        Damaged: it cannot be trusted.
        BadInput: another version of fergen wrote it in another format.
    """
    try:
        meta = json.loads((folder / "meta" / "metadata").read_text())
        sealed = meta.pop("seal")
    except PermissionError:
        raise
    except Exception as error:
        raise Damaged(f"its meta cannot be read: {type(error).__name__}") from None
    if seal(meta) != sealed:
        raise Damaged("its meta differs from its checksum")
    if meta.get("format") != FORMAT:
        written = meta.get("versions", {}).get("fergen")
        raise BadInput(f"{folder}: expected checkpoint format {FORMAT}, found {meta.get('format')} of fergen {written}")
    return meta


def seal(meta: dict[str, Any]) -> str:
    """Return the CRC-32 of a meta."""
    return f"{zlib.crc32(json.dumps(meta, sort_keys=True).encode()):08x}"


def read_item(folder: Path, item: str, target: Any, sharding: Any) -> Any:
    """Read one item's arrays; Orbax raises many kinds of errors on damage, and all of them mean that."""
    try:
        with ocp.StandardCheckpointer() as reader:
            if target is None:
                stored = reader.metadata(folder / item).item_metadata.tree
                return reader.restore(folder / item, jax.tree.map(lambda m: np.zeros(m.shape, m.dtype), stored))
            abstract = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), target)
            return reader.restore(folder / item, abstract)
    except (MemoryError, PermissionError):
        raise
    except Exception as error:
        raise Damaged(f"{item}: {type(error).__name__}: {' '.join(str(error).split())[:200]}") from None


def verify(tree: Any, sums: dict[str, str]) -> None:
    """Compare every leaf with its checksum."""
    found = checksums(tree)
    for name, expected in sums.items():
        if found.get(name) != expected:
            raise Damaged(f"leaf {name} differs from its checksum")


def require_forms(sums: dict[str, str], target: dict, where: str) -> None:
    """Check that a checkpoint has the leaves of the target, by name, type and shape.

    Raises:
        BadInput: names the first that differs.
    """
    wanted = {name: form(leaf) for name, leaf in leaf_names(target).items()}
    found = {name: text.split()[0] for name, text in sums.items()}
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            raise BadInput(
                f"{where}: leaf {name}: expected {wanted.get(name, 'none')}, found {found.get(name, 'none')};"
                " it is of another architecture or config: take another --workdir"
            )


def in_order(stored: dict, target: Any) -> list:
    """Return stored leaves in the order of the target's own structure."""
    by_name = leaf_names(stored)
    return [by_name[name] for name in leaf_names(target)]


@contextlib.contextmanager
def disk_errors(folder: Path, step: int | None) -> Generator[None]:
    """Turn what Orbax raises when the disk fills into one clear line."""
    try:
        yield
    except FergenError:
        raise
    except Exception as error:
        text = " ".join(str(error).split())
        if "No space left" in text or "RESOURCE_EXHAUSTED" in text or "Errno 28" in text or "File too large" in text:
            raise DiskFull(
                f"{folder}: the disk filled while step {step} was saved;"
                " make room and repeat the command: it continues from the checkpoint before"
            ) from None
        raise


def _flocked(f: IO) -> bool:
    try:
        fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def locked(workdir: str | Path) -> Generator[None]:
    """Hold a workdir's lock; the system releases it when the process ends, however it ends.

    Of several processes of one run, process 0 holds it for all. One that a study started waits a little for what the
    same study, killed, has left behind.

    Raises:
        BadInput: another run holds it.
    """
    workdir = Path(workdir)
    try:
        workdir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{workdir}: expected a folder to write in ({error.strerror})") from None
    with contextlib.ExitStack() as held:
        taken = False
        if jax.process_index() == 0:
            f = held.enter_context((workdir / ".lock").open("w"))
            until = time.monotonic() + parent.patience()
            while not _flocked(f):
                if time.monotonic() >= until:
                    taken = True
                    break
                time.sleep(1)
        if hosts.any_of(taken):
            raise BadInput(f"{workdir}: another run is at work here; wait for it or take another folder")
        yield
