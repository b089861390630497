"""Generative adversarial networks: a generator against a critic, unconditional or conditioned on the expression.

One task for all of them: `config.model.conditioning` says how the critic looks at labels and `config.maps` what it sees
beside pixels (`fergen.models.gan_critic`), `config.loss.kind` which game is played (`fergen.losses.adversarial`), and
`config.start` whether the generator begins as a decoder (`fergen.models.vae_gan`).
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
from fergen.core.arrays import to_float
from fergen.core.keys import named
from fergen.data.dataset import Split
from fergen.losses import adversarial
from fergen.losses.classification import cross_entropy
from fergen.optim import build as optim
from fergen.optim.ema import ema_update
from fergen.tasks import gan_maps
from fergen.tasks import guide as guides
from fergen.tasks.gan_maps import Maps, maps_of
from fergen.tasks.gan_nets import NETS, by_collection, initial, modules_of, normalised, predict_of, shapes_of
from fergen.tasks.gan_options import checked_control, checked_loss, require_signs, shares_of
from fergen.tasks.gan_start import Start, start_of
from fergen.tasks.state import Fixed, State, new_net, recorded, updated

__all__ = ["EVALUATOR", "Task", "build", "predict_of", "references", "shapes_of"]

# What the loop measures along training: nothing; samples are scored by evaluation.
EVALUATOR = ""


@dataclass(frozen=True)
class Task:
    """A GAN to train: `init` and `step` are pure; `predict` is name -> pure function.

    Attributes:
        spec: what predict needs beside the weights: model, classes, image shape, latent, nets.
        generator: latents and labels -> images.
        critic: images and labels -> judgements.
        tx: the optimisers by net.
        rate: step -> learning rate of the generator, for the record.
        loss: the fields of the config's group.
        shares: float32 [k], the distribution that the labels of fakes are drawn from; None to take the batch's.
        mirror: chance that a real image is mirrored.
        ada: augmentation of all that the critic sees; None for none.
        control: how its strength moves.
        ema: decay per step of the generator's moving average; 0 for none.
        guide: the emotion-consistency term; None for none.
        maps: what the critic sees beside pixels; None for nothing.
        start: the steps in which the generator learns as a decoder; None for none.
    """

    spec: dict[str, Any]
    generator: Any
    critic: Any
    tx: dict[str, optax.GradientTransformation]
    rate: Callable
    loss: Mapping[str, Any]
    shares: np.ndarray | None
    mirror: float
    ada: ada_settings.Settings | None
    control: ada_control.Control
    ema: float
    guide: guides.Guide | None
    maps: Maps | None
    start: Start | None

    def init(self, key: jax.Array, batch_spec: Mapping[str, jax.ShapeDtypeStruct]) -> State:
        """Initialise from shapes alone.

        Args:
            key: random key.
            batch_spec: shapes of a batch; `image` is uint8 [b, h, w, c].
        """
        variables, nets = initial(self.spec, key), {}
        for name in NETS:
            of_net = {kind: trees[name] for kind, trees in variables.items() if name in trees}
            nets[name] = new_net(of_net, self.tx[name], ema=name == "generator" and self.ema > 0)
        if self.start:
            nets["encoder"] = self.start.encoder(self.spec, key, nets["generator"].params)
        scalars = ada_control.start(self.control) if self.ada else {}
        return State(step=jnp.zeros((), jnp.int32), nets=nets, scalars=scalars)

    @property
    def parts(self) -> dict[str, Callable]:
        """The steps before the game, where there are such; those of the game; of these, those with penalties.

        Steps with and without are programs of their own, for XLA's CPU backend runs a branch on one core.
        """
        starts = {"start": partial(self.begin, self.start)} if self.start else {}
        if self.interval == 1:
            return starts | {"game": self.step}
        return starts | {"game": partial(self.step, penalised=False), "penalised": self.step}

    def due(self, step: int) -> tuple[str, ...]:
        """Return the part that the step of a number is."""
        if self.start and step < self.start.steps:
            return ("start",)
        return ("penalised",) if self.interval > 1 and step % self.interval == 0 else ("game",)

    @property
    def interval(self) -> int:
        """Steps between penalties, which are so many times as strong: Karras et al. 2020 (arXiv:1912.04958), 3.1."""
        return self.loss["interval"] if self.penalties else 1

    @property
    def penalties(self) -> bool:
        """Whether the critic has any."""
        return bool(self.loss["r1"] or self.loss["r2"])

    def begin(
        self, start: Start, state: State, batch: dict, key: jax.Array, frozen: dict
    ) -> tuple[State, dict[str, jax.Array]]:
        """Take one step of encoder and generator, before the game; arguments and result as of `step`."""
        images = random_mirror(named(key, "mirror"), to_float(batch["image"]), self.mirror)
        encoder, g = state.nets["encoder"], state.nets["generator"]
        encoder, g, metrics = start.step(encoder, g, images, self.known(batch["label"]), state.step, key)
        g = g.replace(ema=g.ema and ema_update(g.ema, g.params, g.collections, self.ema, state.step))
        nets = {**state.nets, "encoder": encoder, "generator": g}
        return state.replace(step=state.step + 1, nets=nets), metrics

    def step(
        self, state: State, batch: dict, key: jax.Array, frozen: dict, *, penalised: bool = True
    ) -> tuple[State, dict]:
        """Take one step of the critic, then one of the generator, each with latents of its own.

        Args:
            state: donated.
            batch: image uint8 [b, h, w, c], label int32 [b].
            key: this step's random key.
            frozen: variables of `guide` and `maps`, where there are such.
            penalised: with the critic's penalties, where it has such.

        Returns:
            The next state, and scalars: loss (the sum of both nets'), its terms, mean logits, norms.
        """
        g, d, loss = state.nets["generator"], state.nets["critic"], self.loss
        labels, p = self.known(batch["label"]), state.scalars.get("ada_p")
        reals = random_mirror(named(key, "mirror"), to_float(batch["image"]), self.mirror)
        reals = self.seen(named(key, "critic/reals"), reals, p, frozen)

        # The critic's turn: fakes are data to it.
        asked = self.asked(named(key, "critic/labels"), labels)
        fakes, _ = self.generate(g.params, g.collections, named(key, "critic/latents"), asked)
        fakes = self.seen(named(key, "critic/fakes"), fakes, p, frozen)

        def critic_loss(params):
            judge, collections = self.judge(params, d.collections, iterations=1)
            real, fake = judge(reals, labels), judge(fakes, asked)
            terms = {"adversarial": adversarial.critic_loss(loss["kind"], real.logits, fake.logits, loss["smoothing"])}
            if self.classifies:
                terms["classes"] = loss["classes"] * self.class_loss(real, labels)
            if real.classes is not None:  # of fakes too: Odena et al. 2017, eq. 3
                terms["classes"] += loss["classes"] * self.class_loss(fake, asked)
            if loss["mismatch"]:
                terms["mismatch"] = loss["mismatch"] * adversarial.mismatch_loss(loss["kind"], real.each, labels)
            spread = 0.9 * collections["batch_stats"]["spread"] + 0.1 * real.spread
            collections = {**collections, "batch_stats": {"spread": spread}}
            return sum(terms.values()), (terms, real.logits, fake.logits, collections)

        def penalty(params):
            judge, _ = self.judge(params, d.collections, iterations=0)
            total = jnp.zeros(())
            for gamma, seen, theirs in ((loss["r1"], reals, labels), (loss["r2"], fakes, asked)):
                if gamma:
                    total += gamma * adversarial.zero_centred_penalty(lambda x, y=theirs: judge(x, y).logits, seen)
            return self.interval * total

        (d_loss, (d_terms, real, fake, collections)), grads = jax.value_and_grad(critic_loss, has_aux=True)(d.params)
        if penalised and self.penalties:
            d_terms["penalty"], more = jax.value_and_grad(penalty)(d.params)
            grads = optax.tree.add(grads, more)
        d, d_norms = updated(d, self.tx["critic"], grads, collections)

        # The generator's turn: the critic is fixed.
        asked = self.asked(named(key, "generator/labels"), labels)

        def generator_loss(params):
            images, collections = self.generate(params, g.collections, named(key, "generator/latents"), asked)
            judge, _ = self.judge(d.params, d.collections, iterations=0)
            fake = judge(self.seen(named(key, "generator/fakes"), images, p, frozen), asked)
            rival = judge(reals, labels).logits if loss["kind"] == "relativistic" else None
            terms = {"adversarial": adversarial.generator_loss(loss["kind"], fake.logits, rival)}
            if self.classifies:
                terms["classes"] = loss["classes"] * self.class_loss(fake, asked)
            if self.guide:
                terms["guide"] = self.guide.loss(named(key, "views"), frozen["guide"], images.clip(-1, 1), asked)
            return sum(terms.values()), (terms, collections)

        (g_loss, (g_terms, collections)), grads = jax.value_and_grad(generator_loss, has_aux=True)(g.params)
        g, g_norms = updated(g, self.tx["generator"], grads, collections)

        g = g.replace(ema=g.ema and ema_update(g.ema, g.params, g.collections, self.ema, state.step))
        scalars = state.scalars
        if self.ada:
            scalars = ada_control.adapt(ada_control.observe(scalars, real), state.step, len(labels), self.control)
        metrics = {
            "loss": d_loss + g_loss,
            "loss/critic": d_loss,
            "loss/generator": g_loss,
            "learning_rate": self.rate(state.step - (self.start.steps if self.start else 0)),
            "critic/real": real.mean(),
            "critic/fake": fake.mean(),
            **{f"critic/{name}": value for name, value in d_terms.items()},
            **{f"generator/{name}": value for name, value in g_terms.items()},
            **{f"norm/critic/{name}": value for name, value in d_norms.items()},
            **{f"norm/generator/{name}": value for name, value in g_norms.items()},
            **{name: value for name, value in scalars.items() if name == "ada_p"},
        }
        nets = {**state.nets, "generator": g, "critic": d}
        return State(step=state.step + 1, nets=nets, scalars=scalars), metrics

    @property
    def classifies(self) -> bool:
        """Whether the critic has a head for the classes beside its logit."""
        return self.spec["model"]["conditioning"] in ("auxiliary", "reacgan")

    def known(self, labels: jax.Array) -> jax.Array:
        """Return labels int32 [b] as the networks are told them: to an unconditional GAN all are the first."""
        return labels if self.spec["conditional"] else jnp.zeros_like(labels)

    def asked(self, key: jax.Array, labels: jax.Array) -> jax.Array:
        """Return the labels int32 [b] of a batch of fakes: those of the real images, or drawn from `shares`."""
        if self.shares is None:
            return labels
        return self.known(jax.random.categorical(key, jnp.log(jnp.asarray(self.shares)), shape=labels.shape))

    def seen(self, key: jax.Array, images: jax.Array, p: jax.Array | None, frozen: dict) -> tuple[jax.Array, dict]:
        """Return images [b, h, w, c] as the critic sees them: augmented with strength p, and their feature maps."""
        if self.ada is not None and p is not None:
            images = ada.augment(key, images, p, self.ada)[0]
        return images, self.maps(frozen["maps"], images) if self.maps else {}

    def generate(self, params, collections, key: jax.Array, labels: jax.Array) -> tuple[jax.Array, dict]:
        """Return (images of fresh latents, collections with the batch statistics moved)."""
        latents = jax.random.normal(key, (len(labels), *self.spec["latent"]))
        variables = {"params": params, **collections}
        return self.generator.apply(variables, latents, labels, train=True, mutable=list(collections))

    def judge(self, params, collections, *, iterations: int) -> tuple[Callable, dict]:
        """Return (images as `seen`, and labels -> Judgement; collections with the power iterations done)."""
        params, collections = normalised(params, collections, iterations=iterations)
        return lambda seen, labels: self.critic.apply({"params": params}, seen[0], labels, seen[1]), collections

    def class_loss(self, judgement, labels: jax.Array) -> jax.Array:
        """Return the cross-entropy of a critic's classes, or its repair, the data-to-data cross-entropy."""
        if judgement.classes is not None:
            return cross_entropy(judgement.classes, labels).mean()
        return adversarial.data_to_data_cross_entropy(
            judgement.embedding,
            judgement.proxies,
            labels,
            temperature=self.loss["temperature"],
            positive_margin=self.loss["positive_margin"],
            negative_margin=self.loss["negative_margin"],
        )

    @property
    def predict(self) -> dict[str, Callable]:
        """Name -> pure function; see `predict_of`."""
        return predict_of(self.spec)

    @staticmethod
    def weights(state: State) -> dict[str, Any]:
        """Return the weights for use, by collection and net: the generator's average, the critic as it is."""
        return by_collection({name: state.nets[name].variables() for name in NETS})


def references(config) -> dict[str, str]:
    """Return the fixed networks that training needs: the guide, and the one whose maps the critic sees."""
    return {**guides.references(config), **gan_maps.references(config)}


def build(config, train: Split, steps: int, fixed: Mapping[str, Fixed]) -> Task:
    """Build the task of a config.

    Args:
        config: fields model, start, maps, augment, loss, optim, critic_rate, fake_labels, guide, ema, precision.
        train: the training set, for its classes, image shape, and counts of labels.
        steps: optimiser steps of the whole run, for the schedule.
        fixed: the networks of `references`.

    Raises:
        BadInput: a field is out of range, or does not go with another.
    """
    data, model = train.spec, {**dict(config.model), "dtype": config.precision}
    counts = np.bincount(train.labels, minlength=len(data.classes))
    height, width, channels = data.image_shape
    spec = {
        "task": "gan",
        "model": model,
        "classes": list(data.classes),
        "image": {"height": height, "width": width, "channels": channels},
        "data": {"hash": data.hash, "split": train.name},
        "nets": list(NETS),
        "conditional": model["conditioning"] != "none",
        "prior": (counts / counts.sum()).tolist(),
        **recorded("guide", fixed),
        **gan_maps.record(config, fixed),
    }
    networks = modules_of(spec)
    spec["latent"] = [networks.generator.entries]
    start = start_of(config, networks, steps)
    steps -= start.steps if start else 0
    rate = {"generator": 1.0, "critic": fields.number("critic_rate", config.critic_rate)}
    augmentation = ada_settings.read(config.augment.ada)
    augmented = bool(ada.label_size(augmentation, channels))
    if augmented:
        require_signs(config)
    return Task(
        spec=spec,
        generator=networks.generator,
        critic=networks.critic,
        tx={net: optim.build({**config.optim, "lr": rate[net] * config.optim.lr}, steps) for net in NETS},
        rate=optim.learning_rate(config.optim, steps),
        loss=checked_loss(config),
        shares=shares_of(config.fake_labels, counts),
        mirror=fields.number("augment.mirror", config.augment.mirror, 0, 1),
        ada=augmentation if augmented else None,
        control=checked_control(config.augment.control),
        ema=config.ema,
        guide=guides.guide_of(config, spec, fixed),
        maps=maps_of(config, fixed),
        start=start,
    )
