"""The writer: metrics to JSONL and TensorBoard along the way, and curves as a picture at the end."""

from pathlib import Path
from typing import Any

import jax

from fergen.core.record import Record, rows

# The strength of ADA above which the paper finds its operations in generated images (arXiv:2006.06676, section 2.2).
LEAKS = 0.8


class Writer:
    """Writes a run's metrics under its workdir; only process 0 writes.

    Args:
        workdir: the run's folder; `metrics.jsonl`, `curves.png`, and TensorBoard events in `tensorboard/`.
        tensorboard: write events too.
    """

    def __init__(self, workdir: Path, *, tensorboard: bool = True):
        self.workdir, self.tensorboard = workdir, tensorboard
        self.record = Record(workdir / "metrics.jsonl")
        self.last: dict[str, float] = {}
        self.recent: dict[str, float] = {}
        self.board = None

    def resume(self, step: int) -> None:
        """Cut the record back to `step` and start the event file after it."""
        if jax.process_index() == 0:
            self.record.cut(step)
        for row in rows(self.record.path):
            self.last |= {name: value for name, value in row.items() if name != "step"}
        if jax.process_index() == 0 and self.tensorboard:
            from tensorboardX import SummaryWriter

            self.board = SummaryWriter(str(self.workdir / "tensorboard"), purge_step=step + 1 if step else None)

    def log(self, step: int, metrics: dict[str, Any], *, every: int) -> None:
        """Keep a dispatch's metrics for the progress line; write those since the last row at a multiple of `every`."""
        # The last report since the last row: what is computed every few steps is not due in each.
        self.recent |= {f"train/{name}": float(value) for name, value in metrics.items()}
        self.last |= self.recent
        if step % every == 0:
            self.write(step, self.recent)
            self.recent = {}

    def write(self, step: int, values: dict[str, float]) -> None:
        """Write one row."""
        self.last |= values
        if jax.process_index():
            return
        self.record.append({"step": step, **values})
        if self.board:
            for name, value in values.items():
                self.board.add_scalar(name, value, step)

    def samples(self, step: int, images: Any, spec: dict[str, Any]) -> None:
        """Write a generator's samples as a picture: one row per class, one column per latent.

        Args:
            step: names the file, samples/<step>.png.
            images: uint8 [rows, columns, h, w, c].
            spec: of the task; its classes name the rows.
        """
        if jax.process_index() == 0:
            from fergen.show import faces

            classes = spec["classes"] if spec["conditional"] else None
            faces.grid(images, self.workdir / "samples" / f"{step:06d}.png", classes=classes)

    def note(self) -> str:
        """Return the last numbers in a few words."""
        shown = {
            "train/loss": "loss",
            "train/loss/critic": "critic",
            "train/accuracy": "accuracy",
            "validation/accuracy": "validation",
            "validation/loss": "validation loss",
        }
        if "validation/accuracy" in self.last:
            del shown["validation/loss"]
        words = [f"{short} {self.last[name]:.3f}" for name, short in shown.items() if name in self.last]
        strength = self.last.get("train/ada_p", 0.0)
        if strength:
            leaks = f" (above {LEAKS}: its operations leak into generated faces)" if strength > LEAKS else ""
            words.append(f"ada p {strength:.2f}{leaks}")
        return " ".join(words)

    def draw(self) -> None:
        """Draw the curves of the whole record."""
        if jax.process_index() == 0:
            from fergen.show import curves

            recorded = rows(self.record.path)
            if recorded:
                curves.draw(recorded, self.workdir / "curves.png")

    def close(self) -> None:
        """Flush the event file."""
        if self.board:
            self.board.close()
