"""Differentially private training of a task: what its config asks for, and what its weights may then claim.

The guarantee is of the weights of each checkpoint, and of whatever is computed from them, about each training row:
they would have come out nearly the same, in the sense of (epsilon, delta), had it not been there. The steps' batches,
clipping and noise give it, through any optimiser, schedule and average; so random augmentation of each image by itself
and dropout cost nothing.

It does not cover
- the metric record and curves: losses, accuracies and norms of the training rows are written as they are;
- the validation rows, which the choice of a checkpoint, a threshold or a temperature reads;
- numbers of the whole set: how many rows it has, their mean and standard deviation, which normalise images, and how
  many are of each class, which a CVAE's spec and balanced class weights hold;
- hyper-parameters that were chosen by other trainings on the same rows, and those trainings;
- several rows of one person or one picture twice: a row is the unit;
- weights that it starts from or asks: they must have seen none of the rows, and are refused where their lineage has
  the set;
- who knows the seed: it draws batches and noise again. A run whose weights go out takes a seed that nobody can guess
  and hands on neither it nor its checkpoints, which hold it; `fergen convert` leaves it out of a private file's card.
Noise is drawn in floating point by a generator that is not a cryptographic one, as is usual (see Mironov 2012).
"""

from dataclasses import dataclass
from typing import Any

from fergen.core import fields
from fergen.core.errors import BadInput
from fergen.optim import accounting
from fergen.optim.private import Loss, private_gradient

FIELDS = ("epsilon", "noise_multiplier", "clip_norm", "delta", "microbatch")


@dataclass(frozen=True)
class Privacy:
    """Private training, with all that its guarantee depends on.

    Attributes:
        noise_multiplier: standard deviation of the noise by the clipping norm.
        clip_norm: greatest norm of an example's gradient.
        delta: of the guarantee.
        rows: of the training set.
        batch: rows of a batch in the mean.
        microbatch: examples whose gradients are held at once; 0 for all.
    """

    noise_multiplier: float
    clip_norm: float
    delta: float
    rows: int
    batch: int
    microbatch: int

    def gradient(self, loss: Loss):
        """Return the private gradient of a loss of one example; see `fergen.optim.private`."""
        return private_gradient(
            loss,
            clip_norm=self.clip_norm,
            noise_multiplier=self.noise_multiplier,
            expected=self.batch,
            microbatch=self.microbatch,
        )

    def epsilon(self, steps: int) -> float:
        """Return what the first steps have spent."""
        return accounting.epsilon(self.noise_multiplier, self.batch / self.rows, steps, self.delta)

    def card(self, steps: int) -> dict[str, Any]:
        """Return what weights say of their privacy after so many steps."""
        return {
            "epsilon": self.epsilon(steps),
            "delta": self.delta,
            "steps": steps,
            "rate": self.batch / self.rows,
            "noise_multiplier": self.noise_multiplier,
            "clip_norm": self.clip_norm,
            "unit": "one training row, there or not",
        }

    def line(self, steps: int) -> str:
        """Return the same in a line for people."""
        return (
            f"privacy: epsilon {self.epsilon(steps):.3f} at delta {self.delta:.3g} for each of {self.rows:,} training"
            f" rows, {steps:,} steps of noise {self.noise_multiplier:g} x {self.clip_norm:g}; of the weights alone"
        )


def asked(config) -> bool:
    """Return whether a config asks for private training: for an epsilon or for noise."""
    return bool(config.privacy.epsilon or config.privacy.noise_multiplier)


def privacy_of(config, rows: int, steps: int) -> Privacy | None:
    """Build the private training of a config; None where it asks for none.

    Args:
        config: its group `privacy`, and the fields that it bears on: data, batch_size.
        rows: of the training set.
        steps: of the whole run, over which an epsilon is spent.

    Raises:
        BadInput: a field is out of range, epsilon and noise are both given, or another field does not go with it.
    """
    group = config.privacy
    fields.require_exact("privacy", group, FIELDS)
    target = fields.number("privacy.epsilon", group.epsilon)
    noise = fields.number("privacy.noise_multiplier", group.noise_multiplier)
    clip = fields.number("privacy.clip_norm", group.clip_norm)
    delta = fields.number("privacy.delta", group.delta, 0, 0.5) or rows**-1.1
    microbatch = fields.whole("privacy.microbatch", group.microbatch, 0)
    if not asked(config):
        return None
    if target and noise:
        raise BadInput(
            f"--config.privacy.epsilon={target:g} with noise_multiplier={noise:g}: expected one of them; the other"
            " follows from it"
        )
    if not clip:
        raise BadInput("--config.privacy.clip_norm=0: expected the greatest norm of an example's gradient, above 0")
    for name, wrong in (("balance", "rows of rare classes would be drawn more often"), ("stream", "no coins")):
        if config.data[name]:
            raise BadInput(
                f"--config.data.{name}=True with privacy: {wrong}; expected False, as each row joins by coin"
            )
    if config.batch_size > rows:
        raise BadInput(f"--config.batch_size={config.batch_size}: expected at most the {rows:,} training rows")
    if target:
        noise = accounting.noise_multiplier(target, config.batch_size / rows, steps, delta)
    accounting.library("jax_privacy")
    return Privacy(noise, clip, delta, rows, config.batch_size, microbatch)
