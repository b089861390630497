"""StyleGAN2-ADA: its generator against its discriminator, in the official phases.

Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN" (arXiv:1912.04958) and "Training generative
adversarial networks with limited data" (arXiv:2006.06676). A step has four phases, each with an optimiser step of its
own: the generator's game; every few steps its path lengths; the discriminator's game; every few steps its slope. Then
come the generator's moving average and the strength of the augmentation.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
from fergen.tasks import guide as guides
from fergen.tasks import stylegan2_options as options
from fergen.tasks.classifier import conform
from fergen.tasks.gan_options import checked_control, shares_of
from fergen.tasks.state import Fixed, State, merged, new_net, recorded
from fergen.tasks.stylegan2_draws import Draws, Fakes, Given, draw
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
from fergen.tasks.stylegan2_phases import averaged, phase

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
        guide: the emotion-consistency term; None for none.
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
    guide: guides.Guide | None
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
            frozen: variables of `guide`, where there is one.

        Returns:
            The next state, and scalars: loss (the sum of both games'), its terms, mean logits, norms.
        """
        return self.update(state, self.given(batch, key, frozen))

    def update(self, state: State, given: Given) -> tuple[State, dict[str, jax.Array]]:
        """Compute a step of all phases from its numbers; result as of `step`."""
        reports = []
        for take in self.phases().values():
            state, metrics = take(state, given)
            reports.append(metrics)
        return state, merged(reports)

    @property
    def parts(self) -> dict[str, Callable]:
        """The phases as programs of their own, arguments and result as of `step`: the lazy ones are not in each."""
        return {
            name: lambda state, batch, key, frozen, take=take: take(state, self.given(batch, key, frozen))
            for name, take in self.phases().items()
        }

    def due(self, step: int) -> tuple[str, ...]:
        """Return the phases of the step of a number."""
        intervals = {"lengths": self.loss["pl_interval"], "slope": self.loss["r1_interval"]}
        return tuple(name for name in self.phases() if step % intervals.get(name, 1) == 0)

    def phases(self) -> dict[str, Callable]:
        """Return name -> (state, numbers) -> (state, scalars), in the order of a step."""
        return {
            "generator": self.play,
            **({"lengths": self.smooth} if self.loss["pl"] else {}),
            "discriminator": self.judge,
            **({"slope": self.penalise} if self.loss["r1"] else {}),
            "close": self.close,
        }

    def given(self, batch: Mapping[str, jax.Array], key: jax.Array, frozen: dict[str, Any]) -> Given:
        """Return the numbers of a step, drawn and read; arguments as of `step`."""
        reals = random_mirror(named(key, "mirror"), conform(batch["image"], self.spec), self.mirror)
        classes = self.networks.mapping.classes
        labels = encoded(batch["label"], classes)[:, :classes] if classes else jnp.zeros((len(reals), 0))
        # Round i takes every so manieth image: the leading axis keeps its meaning, and its sharding.
        parts = (len(reals) // self.rounds, self.rounds)
        reals, labels = (x.reshape(*parts, *x.shape[1:]).swapaxes(0, 1) for x in (reals, labels))
        return Given(reals, labels, self.draws(named(key, "draws"), parts[0] * parts[1]), frozen)

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

    def play(self, state: State, given: Given) -> tuple[State, dict[str, jax.Array]]:
        """The generator's game: its faces are to look real under their labels, and to convince the guide."""
        g, d, p = state.nets["generator"], state.nets["discriminator"], state.scalars.get("ada_p")

        def game(params: Any, buffers: Any, x: tuple) -> tuple:
            fakes, augment, views = x
            ws, buffers = self.styles(params, buffers, fakes)
            images = self.synthesise(params, buffers, ws, fakes.noise)
            logits = self.logits(d.params, self.seen(images, augment, p), fakes.labels)
            terms = {"adversarial": jax.nn.softplus(-logits).mean()}
            if self.guide:
                asked, shown = fakes.labels.argmax(1), images.clip(-1, 1)
                terms["guide"] = self.guide.loss(views, given.frozen["guide"], shown, asked)
            return sum(terms.values()), (buffers, terms)

        g, buffers, terms, norms = phase(game, g, self.tx["generator"], g.collections, given.draws.main)
        g = g.replace(collections=buffers)
        metrics = {
            "loss": sum(terms.values()),
            **{f"generator/{name}": value for name, value in terms.items()},
            **{f"norm/generator/{name}": value for name, value in norms.items()},
        }
        return state.replace(nets={**state.nets, "generator": g}), metrics

    def smooth(self, state: State, given: Given) -> tuple[State, dict[str, jax.Array]]:
        """Every few steps: steps in style are to change faces by as much everywhere."""
        g, loss = state.nets["generator"], self.loss

        def lengths(params: Any, carry: Any, x: tuple) -> tuple:
            buffers, mean = carry
            fakes, pixels = x
            ws, buffers = self.styles(params, buffers, fakes)
            found = path_lengths(lambda ws: self.synthesise(params, buffers, ws, fakes.noise), ws, pixels)
            penalty, mean = path_length_penalty(found, mean, loss["pl_decay"])
            return loss["pl_interval"] * loss["pl"] * penalty, ((buffers, mean), {"path": loss["pl"] * penalty})

        carry = (g.collections, state.scalars["pl_mean"])
        g, (buffers, mean), seen, _ = phase(lengths, g, self.tx["generator"], carry, given.draws.lengths)
        nets = {**state.nets, "generator": g.replace(collections=buffers)}
        metrics = {"generator/path": seen["path"], "pl_mean": mean}
        return state.replace(nets=nets, scalars={**state.scalars, "pl_mean": mean}), metrics

    def judge(self, state: State, given: Given) -> tuple[State, dict[str, jax.Array]]:
        """The discriminator's game: it is to tell real faces under their labels from made ones."""
        g, d, p = state.nets["generator"], state.nets["discriminator"], state.scalars.get("ada_p")

        def game(params: Any, buffers: Any, x: tuple) -> tuple:
            (fakes, of_fakes, of_reals), reals, labels = x
            ws, buffers = self.styles(g.params, buffers, fakes)
            images = self.synthesise(g.params, buffers, ws, fakes.noise)
            fake = self.logits(params, self.seen(images, of_fakes, p), fakes.labels)
            real = self.logits(params, self.seen(reals, of_reals, p), labels)
            total = jax.nn.softplus(fake).mean() + jax.nn.softplus(-real).mean()
            return total, (buffers, {"adversarial": total, "fake": fake.mean(), "real": real.mean(), "logits": real})

        inputs = (given.draws.judged, given.reals, given.labels)
        d, buffers, seen, norms = phase(game, d, self.tx["discriminator"], g.collections, inputs)
        logits = seen.pop("logits")
        metrics = {
            "loss": seen["adversarial"],
            **{f"discriminator/{name}": value for name, value in seen.items()},
            **{f"norm/discriminator/{name}": value for name, value in norms.items()},
        }
        nets = {"generator": g.replace(collections=buffers), "discriminator": d}
        return state.replace(nets=nets, scalars=self.observed(state.scalars, logits)), metrics

    def penalise(self, state: State, given: Given) -> tuple[State, dict[str, jax.Array]]:
        """Every few steps: the discriminator is to be flat at real faces (R1)."""
        d, p, loss = state.nets["discriminator"], state.scalars.get("ada_p"), self.loss

        def slope(params: Any, carry: Any, x: tuple) -> tuple:
            augment, reals, labels = x

            def logits(images: jax.Array) -> tuple:
                found = self.logits(params, self.seen(images, augment, p), labels)
                return found.sum(), found

            # With respect to the images before augmentation.
            gradient, real = jax.grad(logits, has_aux=True)(reals)
            penalty = loss["r1"] / 2 * jnp.square(gradient).sum((1, 2, 3)).mean()
            return loss["r1_interval"] * penalty, (carry, {"r1": penalty, "logits": real})

        inputs = (given.draws.penalised, given.reals, given.labels)
        d, _, seen, _ = phase(slope, d, self.tx["discriminator"], (), inputs)
        scalars = self.observed(state.scalars, seen["logits"])
        return state.replace(nets={**state.nets, "discriminator": d}, scalars=scalars), {"discriminator/r1": seen["r1"]}

    def close(self, state: State, given: Given) -> tuple[State, dict[str, jax.Array]]:
        """The end of a step: the generator's average and the strength of the augmentation move."""
        g, scalars, images = state.nets["generator"], state.scalars, math.prod(given.reals.shape[:2])
        g = g.replace(ema=averaged(g, state.step, images, self.average))
        if self.ada:
            scalars = ada_control.adapt(scalars, state.step, images, self.control)
        metrics = {
            "learning_rate": self.rate(state.step),
            **{name: value for name, value in scalars.items() if name == "ada_p"},
        }
        return State(step=state.step + 1, nets={**state.nets, "generator": g}, scalars=scalars), metrics

    def observed(self, scalars: dict[str, jax.Array], logits: jax.Array) -> dict[str, jax.Array]:
        """Return the scalars after the discriminator's logits of real images were seen."""
        return ada_control.observe(scalars, logits) if self.ada else scalars

    def seen(self, images: jax.Array, drawn: ada.Draws | None, p: jax.Array | None) -> jax.Array:
        """Return images as the discriminator sees them: augmented with strength p."""
        if self.ada is None or drawn is None or p is None:
            return images
        return ada.apply(images, drawn, p, self.ada)[0]

    def logits(self, params: Any, images: jax.Array, labels: jax.Array) -> jax.Array:
        """Return the discriminator's logits [n]."""
        return self.networks.discriminator.apply({"params": params}, images, labels)

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
    """Return the fixed networks that training needs: the guide."""
    return guides.references(config)


def build(config, train: Split, steps: int, fixed: Mapping[str, Fixed]) -> Task:
    """Build the task of a config.

    Args:
        config: fields model, conditional, resolution, sampler, loss, augment, fake_labels, guide, optim, average,
            rounds, freeze_d, batch_size, precision.
        train: the training set, for its classes, image shape, and counts of labels.
        steps: optimiser steps of the whole run, for the schedule.
        fixed: the networks of `references`.

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
        "latent": [config.model.z_dim],
        "conditional": config.conditional,
        "prior": (counts / counts.sum()).tolist(),
        "sampler": dict(config.sampler),
        **recorded("guide", fixed),
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
        guide=guides.guide_of(config, spec, fixed),
        average=options.average_of(config),
    )
