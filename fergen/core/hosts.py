"""Several processes as one job, by `jax.distributed`: joining it, agreeing in it, and leaving it.

All processes run the same command. Process 0 alone prints and writes; a process that fails says why and ends, and the
others end soon after: by the collective that it is missing in, or when it has been silent for long enough.
"""

import contextlib
import os
import sys
import time
import traceback
from collections.abc import Generator
from typing import Any, NoReturn

import jax
import numpy as np
from jax.experimental import multihost_utils

from fergen.core.errors import BadInput, FergenError, ending

# Seconds: for all to start, which on a cluster may be minutes apart; after which one that is silent counts as dead; and
# which process 0, whose end is the end of all, leaves to the others to say what they met.
START, HEARTBEAT, GRACE = 300, 60, 3
FOUND = "auto"
# What collectives (gloo, NCCL) and JAX's coordination service say when another process is gone.
GONE = ("gloo", "nccl", "connection", "coordination", "heartbeat", "barrier")


class Lost(FergenError):
    """Another process of the job ended, so this one cannot go on."""


@contextlib.contextmanager
def joined(text: str | None) -> Generator[None]:
    """Take part in a job of several processes while the block runs; no array may have been made before.

    Args:
        text: HOST:PORT,N,I (where process 0 listens, how many there are, which this is), `FOUND` to have the cluster
            say so, or None for a job of this process alone.

    Raises:
        BadInput: another form, no cluster to be found, or processes that do not come together.
    """
    if text is None:
        yield
        return
    join(text)
    try:
        with contextlib.ExitStack() as muted:
            if jax.process_index():
                silent = muted.enter_context(open(os.devnull, "w"))
                muted.enter_context(contextlib.redirect_stdout(silent))
                muted.enter_context(contextlib.redirect_stderr(silent))
            yield
        multihost_utils.sync_global_devices("fergen: done")
    except BaseException as error:
        leave(error)
    jax.distributed.shutdown()


def join(text: str) -> None:
    """Come together with the other processes; see `joined`."""
    known: dict[str, Any] = {}
    if text != FOUND:
        address, n, i = [*text.split(","), "", ""][:3]
        if text.count(",") != 2 or ":" not in address or not (n.isdigit() and i.isdigit() and int(i) < int(n)):
            raise BadInput(f"--distributed={text}: expected HOST:PORT,N,I: 10.0.0.1:1234,2,0 on the first of two hosts")
        known = {"coordinator_address": address, "num_processes": int(n), "process_id": int(i)}
    # It would take SIGTERM for itself and say nothing; the loop has its own way to stop, and other verbs just end.
    jax.config.update("jax_enable_preemption_service", False)
    try:
        jax.distributed.initialize(
            **known,
            initialization_timeout=START,
            heartbeat_timeout_seconds=HEARTBEAT,
        )
    except ValueError:
        raise BadInput(
            "--distributed: found no cluster (SLURM, Cloud TPU, Open MPI or Kubernetes) that says which processes there"
            " are; write --distributed=HOST:PORT,N,I"
        ) from None
    except jax.errors.JaxRuntimeError as error:
        where = "" if text == FOUND else f"={text}"
        raise BadInput(
            f"--distributed{where}: the processes did not come together within {START} s: {brief(error)}"
        ) from None


def leave(error: BaseException) -> NoReturn:
    """Say what went wrong, and end at once: the orderly way out waits for the others, who may wait for this one."""
    # Of several types: one is raised where a collective is called, others where its result is read.
    if not ending(error) and any(word in str(error).lower() for word in GONE):
        error = Lost(
            f"process {jax.process_index()} of {jax.process_count()}: another process of the job ended"
            f" ({brief(error)}); repeat the command on all of them: it continues from the last checkpoint"
        )
    words, status = ending(error) or ("".join(traceback.format_exception(error)).rstrip(), 1)
    print(words, file=sys.stderr, flush=True)
    sys.stdout.flush()
    if jax.process_index() == 0:
        time.sleep(GRACE)
    os._exit(status)


def brief(error: BaseException) -> str:
    """Return an error's first words on one line."""
    return " ".join(str(error).split())[:160]


@contextlib.contextmanager
def first_alone() -> Generator[None]:
    """Let process 0 go through the block before the others: what it makes on a shared disk, they find there."""
    several, first = jax.process_count() > 1, jax.process_index() == 0
    if several and not first:
        multihost_utils.sync_global_devices("fergen: process 0 is done")
    yield
    if several and first:
        multihost_utils.sync_global_devices("fergen: process 0 is done")


def any_of(flag: bool) -> bool:
    """Return whether the flag is set on any process; all ask at the same point."""
    if jax.process_count() == 1:
        return flag
    return bool(np.asarray(multihost_utils.process_allgather(np.array(flag))).any())


def require_equal(value: int, what: str) -> None:
    """Check that all processes have the same whole number.

    Raises:
        BadInput: names what differs, and in which.
    """
    if jax.process_count() == 1:
        return
    each = np.asarray(multihost_utils.process_allgather(np.array(value, np.int32)))
    if (each != each[0]).any():
        raise BadInput(
            f"{what} differs between the processes of this job: {', '.join(map(str, each))};"
            " expected a disk that all of them share"
        )
