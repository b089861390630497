"""Flow matching: a velocity that carries noise to faces of a class, with classifier-free guidance.

The network sees images of mean 0 and variance 1 per channel, so that noise and data weigh the same half of the way.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from fergen.augment import ada
from fergen.augment.ada_settings import Settings
from fergen.augment.ada_settings import read as read_ada
from fergen.augment.geometry import random_mirror
from fergen.core import fields
from fergen.core.arrays import to_float
from fergen.core.errors import BadInput
from fergen.core.keys import named
from fergen.data.dataset import Split
from fergen.losses import flow
from fergen.optim import build as optim
from fergen.optim.ema import ema_update
from fergen.tasks import guide as guides
from fergen.tasks.classifier import normalise
from fergen.tasks.flow_predict import denormalise, initial, module_of, predict_of, sampler_of, shapes_of
from fergen.tasks.state import Fixed, State, new_net, recorded, updated

__all__ = ["EVALUATOR", "Task", "build", "predict_of", "references", "shapes_of"]

# What the loop measures along training: a file of fergen/evals.
EVALUATOR = "velocity"


@dataclass(frozen=True)
class Task:
    """A flow to train: `init` and `step` are pure; `predict` is name -> pure function.

    Attributes:
        spec: what predict needs beside the weights: model, classes, image shape, mean and std, sampler.
        module: (images, times, labels, augmentation labels) -> velocities.
        tx: the optimiser.
        rate: step -> learning rate, for the record.
        mirror: chance that an image is mirrored; samples may be mirror images too.
        augment: further changes, of which the network is told by labels that are 0 in sampling, so that they do not
            leak into samples (Karras et al. 2022, arXiv:2206.00364, appendix F.2); None for none.
        p: their strength.
        unlabelled: chance that an image's label is kept from the network (Ho & Salimans 2022, arXiv:2207.12598,
            algorithm 1).
        time_mean, time_std: of the logit of training times.
        ema: decay per step of the moving average; 0 for none.
        guide: the emotion-consistency term; None for none.
    """

    spec: dict[str, Any]
    module: Any
    tx: optax.GradientTransformation
    rate: Callable
    mirror: float
    augment: Settings | None
    p: float
    unlabelled: float
    time_mean: float
    time_std: float
    ema: float
    guide: guides.Guide | None

    def init(self, key: jax.Array, batch_spec: Mapping[str, jax.ShapeDtypeStruct]) -> State:
        """Initialise from shapes alone.

        Args:
            key: random key.
            batch_spec: shapes of a batch; `image` is uint8 [b, h, w, c].
        """
        net = new_net(initial(self.spec, key), self.tx, ema=self.ema > 0)
        return State(step=jnp.zeros((), jnp.int32), nets={"velocity": net})

    def step(self, state: State, batch: dict, key: jax.Array, frozen: dict) -> tuple[State, dict[str, jax.Array]]:
        """Take one optimiser step.

        Args:
            state: donated.
            batch: image uint8 [b, h, w, c], label int32 [b].
            key: this step's random key.
            frozen: variables of `guide`, where there is one.

        Returns:
            The next state, and scalars: loss and its terms, the share of labels kept, norms.
        """
        net, labels = state.nets["velocity"], batch["label"]
        images, augmentation = self.augmented(key, to_float(batch["image"]))
        data = normalise(images, self.spec)
        noise = jax.random.normal(named(key, "noise"), data.shape)
        time = flow.times(named(key, "times"), len(data), mean=self.time_mean, std=self.time_std)
        kept = jax.random.uniform(named(key, "labels"), labels.shape) >= self.unlabelled
        shown = jnp.where(kept, labels, len(self.spec["classes"]))
        x = flow.between(noise, data, time)

        def loss_fn(params):
            rngs = {"dropout": named(key, "dropout")}
            velocity = self.module.apply({"params": params}, x, time, shown, augmentation, train=True, rngs=rngs)
            terms = {"velocity": flow.velocity_error(velocity, noise, data).mean()}
            if self.guide:
                arrived = denormalise(flow.arrival(x, velocity, time), self.spec)
                losses = self.guide.losses(named(key, "views"), frozen["guide"], arrived, labels)
                # Early on a path arrives at a mean over many faces, which is not to be more expressive than they are;
                # late the face is nearly given, and the factor 1 - t of `flow.arrival` leaves nothing to answer for.
                # What counts is the middle of the way, where the expression is decided.
                terms["guide"] = self.guide.weight * (time * kept * losses).mean()
            return sum(terms.values()), terms

        (loss, terms), grads = jax.value_and_grad(loss_fn, has_aux=True)(net.params)
        net, norms = updated(net, self.tx, grads, {})
        net = net.replace(ema=net.ema and ema_update(net.ema, net.params, {}, self.ema, state.step))

        metrics = {
            "loss": loss,
            **{f"loss/{name}": value for name, value in terms.items()},
            "labelled": kept.mean(),
            "learning_rate": self.rate(state.step),
            **{f"norm/{name}": value for name, value in norms.items()},
        }
        return state.replace(step=state.step + 1, nets={"velocity": net}), metrics

    def augmented(self, key: jax.Array, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return images [b, h, w, c] changed at random, and the labels [b, d] that say how."""
        images = random_mirror(named(key, "mirror"), images, self.mirror)
        if self.augment is None:
            return images, jnp.zeros((len(images), 0))
        return ada.augment(named(key, "augment"), images, self.p, self.augment)

    @property
    def predict(self) -> dict[str, Callable]:
        """Name -> pure function; see `predict_of`."""
        return predict_of(self.spec)

    @staticmethod
    def weights(state: State) -> dict[str, Any]:
        """Return the weights for use, without the optimiser."""
        return state.nets["velocity"].variables()


def references(config) -> dict[str, str]:
    """Return the fixed networks that training needs: the guide of the emotion-consistency term."""
    return guides.references(config)


def build(config, train: Split, steps: int, fixed: Mapping[str, Fixed]) -> Task:
    """Build the task of a config.

    Args:
        config: fields model, sampler, augment, loss, optim, guide, ema, precision.
        train: the training set, for its classes, image shape, mean, std, and counts of labels.
        steps: optimiser steps of the whole run, for the schedule.
        fixed: the networks of `references`.

    Raises:
        BadInput: a field is out of range.
    """
    data = train.spec
    height, width, channels = data.image_shape
    counts = np.bincount(train.labels, minlength=len(data.classes))
    settings, p = read_ada(config.augment.ada), fields.number("augment.p", config.augment.p, 0, 1)
    labelled = ada.label_size(settings, channels) if p else 0
    if p and not labelled:
        raise BadInput(f"--config.augment.p={p:g}: expected an operation in --config.augment.ada to apply, or 0")
    spec = {
        "task": "flow",
        "model": {**dict(config.model), "augmentations": labelled, "dtype": config.precision},
        "classes": list(data.classes),
        "image": {"height": height, "width": width, "channels": channels},
        "mean": list(data.mean),
        "std": list(data.std),
        "data": {"hash": data.hash, "split": train.name},
        "latent": [height, width, channels],
        "conditional": True,
        "prior": (counts / counts.sum()).tolist(),
        "sampler": {**dict(config.sampler), "interval": list(config.sampler.interval)},
        **recorded("guide", fixed),
    }
    sampler_of(spec)
    return Task(
        spec=spec,
        module=module_of(spec),
        tx=optim.build(config.optim, steps),
        rate=optim.learning_rate(config.optim, steps),
        mirror=fields.number("augment.mirror", config.augment.mirror, 0, 1),
        augment=settings if labelled else None,
        p=p,
        unlabelled=fields.number("loss.unlabelled", config.loss.unlabelled, 0, 1),
        time_mean=fields.number("loss.time_mean", config.loss.time_mean, -10, 10),
        time_std=fields.number("loss.time_std", config.loss.time_std, 0, 10),
        ema=config.ema,
        guide=guides.guide_of(config, spec, fixed),
    )
