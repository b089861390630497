"""StyleGAN2-ADA: its generator against its discriminator, in the official phases.

Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN" (arXiv:1912.04958) and "Training generative
adversarial networks with limited data" (arXiv:2006.06676). A step has four phases, each with an optimiser step of its
own: the generator's game; every few steps its path lengths; the discriminator's game; every few steps its slope. Then
come the generator's moving average and the strength of the augmentation.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from fergen.augment import ada, ada_control, ada_settings
from fergen.augment.geometry import random_mirror
from fergen.core import fields
from fergen.core.keys import named
from fergen.data.dataset import Split
from fergen.losses.path_length import path_length_penalty, path_lengths
from fergen.models.stylegan2 import Networks, mixed
from fergen.models.stylegan2_mapping import moved_averages
from fergen.optim import build as optim
from fergen.tasks import stylegan2_options as options
from fergen.tasks.classifier import conform
from fergen.tasks.gan_options import checked_control, shares_of
from fergen.tasks.state import Fixed, State, new_net
from fergen.tasks.stylegan2_draws import Draws, Fakes, draw
from fergen.tasks.stylegan2_nets import (
    NETS,
    by_collection,
    encoded,
    initial,
    networks_of,
    part,
    predict_of,
    sampler_of,
    shapes_of,
)
from fergen.tasks.stylegan2_phases import averaged, lazy, phase

__all__ = ["EVALUATOR", "Task", "build", "predict_of", "references", "shapes_of"]

# What the loop measures along training: nothing; samples are scored by evaluation.
EVALUATOR = ""


@dataclass(frozen=True)
class Task:
    """A StyleGAN2 to train: `init` and `step` are pure; `predict` is name -> pure function.

    Attributes:
        spec: what predict needs beside the weights: model, classes, image shape, latent, nets, sampler.
        networks: mapping, synthesis and discriminator.
        tx: the optimisers by net; each serves both phases of its net.
        rate: step -> learning rate, for the record.
        loss: the config's group.
        shares: float32 [classes], the distribution that labels of fakes are drawn from; None for none.
        mirror: chance that a real image is mirrored.
        ada: augmentation of all that the discriminator sees; None for none.
        control: how its strength moves.
        rounds: parts that a batch is computed in, one after the other; their gradients are added.
        average: images over which the generator's moving average halves what is past, and as which part of the images
            so far at most; 0 for no such bound.
    """

    spec: dict[str, Any]
    networks: Networks
    tx: dict[str, optax.GradientTransformation]
    rate: Callable
    loss: Mapping[str, Any]
    shares: np.ndarray | None
    mirror: float
    ada: ada_settings.Settings | None
    control: ada_control.Control
    rounds: int
    average: tuple[float, float]

    def init(self, key: jax.Array, batch_spec: Mapping[str, jax.ShapeDtypeStruct]) -> State:
        """Initialise from shapes alone.

        Args:
            key: random key.
            batch_spec: shapes of a batch; `image` is uint8 [b, h, w, c].
        """
        variables = initial(self.spec, key)
        nets = {name: new_net(variables[name], self.tx[name], ema=name == "generator") for name in NETS}
        scalars = {"pl_mean": jnp.zeros(()), **(ada_control.start(self.control) if self.ada else {})}
        return State(step=jnp.zeros((), jnp.int32), nets=nets, scalars=scalars)

    def step(self, state: State, batch: dict, key: jax.Array, frozen: dict) -> tuple[State, dict[str, jax.Array]]:
        """Take one step of all phases.

        Args:
            state: donated.
            batch: image uint8 [b, h, w, c], label int32 [b].
            key: this step's random key.
            frozen: of no use here.

        Returns:
            The next state, and scalars: loss (the sum of both games'), its terms, mean logits, norms.
        """
        reals = random_mirror(named(key, "mirror"), conform(batch["image"], self.spec), self.mirror)
        classes = self.networks.mapping.classes
        labels = encoded(batch["label"], classes)[:, :classes] if classes else jnp.zeros((len(reals), 0))
        return self.update(state, reals, labels, self.draws(named(key, "draws"), len(reals)))

    def draws(self, key: jax.Array, batch: int) -> Draws:
        """Draw the numbers of a step of so many images."""
        return draw(
            key,
            layout=self.networks.synthesis.layout,
            z=self.networks.mapping.z,
            shares=None if self.shares is None else jnp.asarray(self.shares),
            batch=batch,
            rounds=self.rounds,
            mixing=self.loss["mixing"],
            shrink=self.loss["pl_shrink"],
            settings=self.ada,
        )

    def update(
        self,
        state: State,
        reals: jax.Array,
        labels: jax.Array,
        draws: Draws,
    ) -> tuple[State, dict[str, jax.Array]]:
        """Compute a step from its draws.

        Args:
            state: before the step.
            reals: images [b, h, w, c] in [-1, 1].
            labels: theirs, [b, classes].
            draws: from `draws`, or recorded.

        Returns:
            As `step`.
        """
        g, d, loss, step = state.nets["generator"], state.nets["discriminator"], self.loss, state.step
        p, pl_mean = state.scalars.get("ada_p"), state.scalars["pl_mean"]
        # Round i takes every so manieth image: the leading axis keeps its meaning, and its sharding.
        parts = (len(reals) // self.rounds, self.rounds)
        reals, labels = (x.reshape(*parts, *x.shape[1:]).swapaxes(0, 1) for x in (reals, labels))

        def seen(images: jax.Array, drawn: ada.Draws | None) -> jax.Array:
            if self.ada is None or drawn is None or p is None:
                return images
            return ada.apply(images, drawn, p, self.ada)[0]

        def judge(params: Any, images: jax.Array, labels: jax.Array) -> jax.Array:
            return self.networks.discriminator.apply({"params": params}, images, labels)

        def game(params: Any, buffers: Any, x: tuple) -> tuple:
            fakes, augment = x
            ws, buffers = self.styles(params, buffers, fakes)
            images = self.synthesise(params, buffers, ws, fakes.noise)
            logits = judge(d.params, seen(images, augment), fakes.labels)
            total = jax.nn.softplus(-logits).mean()
            return total, (buffers, {"adversarial": total})

        def lengths(params: Any, carry: Any, x: tuple) -> tuple:
            buffers, mean = carry
            fakes, pixels = x
            ws, buffers = self.styles(params, buffers, fakes)
            found = path_lengths(lambda ws: self.synthesise(params, buffers, ws, fakes.noise), ws, pixels)
            penalty, mean = path_length_penalty(found, mean, loss["pl_decay"])
            return loss["pl_interval"] * loss["pl"] * penalty, ((buffers, mean), {"path": loss["pl"] * penalty})

        def judged(params: Any, buffers: Any, x: tuple) -> tuple:
            (fakes, of_fakes, of_reals), reals, labels = x
            ws, buffers = self.styles(g.params, buffers, fakes)
            images = self.synthesise(g.params, buffers, ws, fakes.noise)
            fake = judge(params, seen(images, of_fakes), fakes.labels)
            real = judge(params, seen(reals, of_reals), labels)
            total = jax.nn.softplus(fake).mean() + jax.nn.softplus(-real).mean()
            return total, (buffers, {"adversarial": total, "fake": fake.mean(), "real": real.mean(), "logits": real})

        def slope(params: Any, carry: Any, x: tuple) -> tuple:
            augment, reals, labels = x

            def logits(images: jax.Array) -> tuple:
                found = judge(params, seen(images, augment), labels)
                return found.sum(), found

            # With respect to the images before augmentation.
            gradient, real = jax.grad(logits, has_aux=True)(reals)
            penalty = loss["r1"] / 2 * jnp.square(gradient).sum((1, 2, 3)).mean()
            return loss["r1_interval"] * penalty, (carry, {"r1": penalty, "logits": real})

        g, buffers, main, norms = phase(game, g, self.tx["generator"], g.collections, draws.main)
        take = partial(phase, lengths, tx=self.tx["generator"], inputs=draws.lengths)
        g, (buffers, pl_mean), path = lazy(take, g, (buffers, pl_mean), step, loss["pl_interval"] if loss["pl"] else 0)
        inputs = (draws.judged, reals, labels)
        d, buffers, judgement, d_norms = phase(judged, d, self.tx["discriminator"], buffers, inputs)
        take = partial(phase, slope, tx=self.tx["discriminator"], inputs=(draws.penalised, reals, labels))
        d, _, penalty = lazy(take, d, (), step, loss["r1_interval"] if loss["r1"] else 0)

        g = g.replace(collections=buffers)
        g = g.replace(ema=averaged(g, step, reals.shape[0] * reals.shape[1], self.average))
        scalars = {**state.scalars, "pl_mean": pl_mean}
        if self.ada:
            scalars = ada_control.observe(scalars, judgement.pop("logits"))
            due = (step % loss["r1_interval"] == 0) if loss["r1"] else False
            scalars = ada_control.observe(scalars, penalty["logits"], jnp.float32(due)) if loss["r1"] else scalars
            scalars = ada_control.adapt(scalars, step, reals.shape[0] * reals.shape[1], self.control)
        judged_total = judgement["adversarial"]
        metrics = {
            "loss": sum(main.values()) + judged_total,
            **{f"generator/{name}": value for name, value in {**main, **path}.items()},
            "discriminator/adversarial": judged_total,
            "discriminator/real": judgement["real"],
            "discriminator/fake": judgement["fake"],
            **({"discriminator/r1": penalty["r1"]} if loss["r1"] else {}),
            "pl_mean": pl_mean,
            "learning_rate": self.rate(step),
            **{f"norm/generator/{name}": value for name, value in norms.items()},
            **{f"norm/discriminator/{name}": value for name, value in d_norms.items()},
            **{name: value for name, value in scalars.items() if name == "ada_p"},
        }
        return State(step=step + 1, nets={"generator": g, "discriminator": d}, scalars=scalars), metrics

    def styles(self, params: Any, buffers: Any, fakes: Fakes) -> tuple[jax.Array, Any]:
        """Return styles [n, layers, w], mixed, and the buffers with the mean styles moved by those before mixing."""
        mapping, layers = self.networks.mapping, self.networks.synthesis.layout.styles
        w, other = (mapping.apply({"params": params["mapping"]}, z, fakes.labels) for z in (fakes.z, fakes.others))
        averages = moved_averages(buffers["buffers"]["mapping"], w, fakes.labels)
        buffers = {**buffers, "buffers": {**buffers["buffers"], "mapping": averages}}
        first, last = (jnp.repeat(x[:, None], layers, axis=1) for x in (w, other))
        return mixed(first, last, fakes.cutoff), buffers

    def synthesise(self, params: Any, buffers: Any, ws: jax.Array, noise: list[jax.Array]) -> jax.Array:
        """Return the images of styles."""
        return self.networks.synthesis.apply(part({"params": params, **buffers}, "synthesis"), ws, noise)

    @property
    def predict(self) -> dict[str, Callable]:
        """Name -> pure function; see `predict_of`."""
        return predict_of(self.spec)

    @staticmethod
    def weights(state: State) -> dict[str, Any]:
        """Return the weights for use, by collection and net: the generator's average, the discriminator as it is."""
        return by_collection({name: state.nets[name].variables() for name in NETS})


def references(config) -> dict[str, str]:
    """Return the fixed networks that training needs: none."""
    return {}


def build(config, train: Split, steps: int, fixed: Mapping[str, Fixed]) -> Task:
    """Build the task of a config.

    Args:
        config: fields model, conditional, resolution, sampler, loss, augment, fake_labels, optim, average, rounds,
            freeze_d, batch_size, precision.
        train: the training set, for its classes, image shape, and counts of labels.
        steps: optimiser steps of the whole run, for the schedule.
        fixed: none is needed.

    Raises:
        BadInput: a field is out of range, or does not go with another.
    """
    data = train.spec
    counts = np.bincount(train.labels, minlength=len(data.classes))
    height, width, channels = data.image_shape
    if config.resolution:
        height = width = config.resolution
    spec = {
        "task": "stylegan2",
        "model": {**dict(config.model), "dtype": config.precision},
        "classes": list(data.classes),
        "image": {"height": height, "width": width, "channels": channels},
        "data": {"hash": data.hash, "split": train.name},
        "nets": list(NETS),
        "latent": [config.model.z],
        "conditional": config.conditional,
        "prior": (counts / counts.sum()).tolist(),
        "sampler": dict(config.sampler),
    }
    networks = networks_of(spec)
    sampler_of(spec)
    loss, settings = options.checked_loss(config), ada_settings.read(config.augment.ada)
    return Task(
        spec=spec,
        networks=networks,
        tx=options.optimisers(config, steps, loss, networks.discriminator),
        rate=optim.learning_rate(config.optim, steps),
        loss=loss,
        shares=shares_of(config.fake_labels, counts) if config.conditional else None,
        mirror=fields.number("augment.mirror", config.augment.mirror, 0, 1),
        ada=settings if ada.label_size(settings, channels) else None,
        control=checked_control(config.augment.control),
        rounds=options.rounds_of(config),
        average=options.average_of(config),
    )
