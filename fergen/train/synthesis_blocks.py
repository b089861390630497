"""The blocks of a synthetic set: which candidates each draws, how far a folder has come, and its files."""

import io
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from fergen.core.errors import BadInput
from fergen.core.paths import atomic_write
from fergen.core.shares import apportion
from fergen.data.sources import synthetic as layout

BLOCK = 1024
"""Candidates per block at most: what a kill can cost."""
ROUND = 256
"""With a filter a block's candidates are a multiple of this, so that small blocks do not compile anew."""


class State(NamedTuple):
    """How far a request has come.

    Attributes:
        blocks: done.
        row: number of the next candidate.
        drawn: int64 [k], candidates of each class.
        kept: int64 [k], faces of each class.
    """

    blocks: int
    row: int
    drawn: np.ndarray
    kept: np.ndarray


def allot(state: State, target: np.ndarray, filtered: bool) -> np.ndarray:
    """Return how many candidates of each class the next block draws, int64 [k].

    Without a filter as many as are missing. With one as many as are expected to give them, the share that passes being
    estimated by Laplace's rule of succession, (kept + 1) / (drawn + 2).
    """
    missing = target - state.kept
    if not filtered:
        return apportion(min(BLOCK, int(missing.sum())), missing)
    needed = -(-missing * (state.drawn + 2) // (state.kept + 1))
    return apportion(min(BLOCK, -(-int(needed.sum()) // ROUND) * ROUND), needed)


def after(state: State, names: Sequence[str], target: np.ndarray, rows: list[dict], filtered: bool) -> State:
    """Return the state after a block of which `rows` were kept.

    Candidates behind the face that completed its class do not count as drawn: nobody needed them to pass.
    """
    drawn = allot(state, target, filtered)
    label = np.array([names.index(row["label"]) for row in rows], np.int64)
    kept = state.kept + np.bincount(label, minlength=len(names))
    starts = state.row + np.cumsum(drawn) - drawn
    counted = drawn.copy()
    for c in np.flatnonzero((kept == target) & (drawn > 0)):
        last = max(row["row"] for row in rows if row["label"] == names[c])
        counted[c] = last - starts[c] + 1
    return State(state.blocks + 1, state.row + int(drawn.sum()), state.drawn + counted, kept)


def replay(folder: Path, names: Sequence[str], target: np.ndarray, filtered: bool) -> State:
    """Return how far the blocks on disk have come."""
    state = State(0, 0, np.zeros_like(target), np.zeros_like(target))
    while (state.kept < target).any():
        rows = layout.read_block(folder, state.blocks)
        if rows is None:
            break
        if not {row["label"] for row in rows} <= set(names):
            raise BadInput(f"{layout.rows_file(folder, state.blocks)}: damaged; delete the folder and sample again")
        state = after(state, names, target, rows, filtered)
    return state


def sweep(folder: Path) -> None:
    """Remove the temporary files of writes that a kill cut off; the lock is held, so none is at work."""
    for name in ("images-", "rows-", layout.ABOUT):
        for path in folder.glob(f".*.{name}*"):
            path.unlink()


def commit(folder: Path, block: int, form: str, rows: list[dict[str, Any]], faces: list[np.ndarray]) -> None:
    """Write a block: the faces, and then, whole or not at all, the rows file that makes it count."""
    if form == "png":
        paths = [folder / layout.png_name(row["label"], row["row"]) for row in rows]
        for parent in {path.parent for path in paths}:
            parent.mkdir(exist_ok=True)
        with ThreadPoolExecutor() as pool:
            for _ in pool.map(save_png, paths, faces):
                pass
    elif faces:
        stream = io.BytesIO()
        np.save(stream, np.stack(faces))
        atomic_write(layout.images_file(folder, block), stream.getvalue())
    atomic_write(layout.rows_file(folder, block), "".join(json.dumps(row) + "\n" for row in rows))


def save_png(path: Path, image: np.ndarray) -> None:
    """Write one face, uint8 [h, w, c], c 1 or 3."""
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(path, "PNG")
