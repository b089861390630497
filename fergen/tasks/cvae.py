"""The conditional variational autoencoder: reconstructs, samples, and changes the expression of a real face.

Its training has the two stages of the AffectNet study: without a perceptual term, then with one. A guide waits for the
second stage too: alone, with nothing that says what faces look like, it draws patterns that please no one but it.

Three networks are trained together: encoder and decoder on the evidence's lower bound, and a prior on the latents that
the encoder finds. The bound holds the latents near the standard normal but not on it, and what `sample` draws from the
gap is no face; so the third network learns to carry standard normal noise to the latents of a class, in each step and
without a say in the other two: the second stage of Dai & Wipf 2019 (arXiv:1903.05789), trained beside the first. From
some latents it learns without their labels, which guidance needs.

Two terms with frozen networks may join: perceptual distances of reconstructions and of samples from the prior, and a
guide's cross-entropy on these samples.

With --config.privacy.epsilon the gradients of all three are differentially private: see `fergen.tasks.private`. The
loss is then each image's own: its noise of greatest likelihood, its free bits, its perceptual distances, and a guided
sample of its label. The moments of samples and faces, which compare sets, are refused.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from fergen.augment.geometry import random_mirror
from fergen.core import fields
from fergen.core.arrays import to_float
from fergen.core.errors import BadInput
from fergen.core.keys import named
from fergen.data.dataset import Split
from fergen.losses import variational
from fergen.losses.classification import weighted_mean
from fergen.optim import build as optim
from fergen.optim.ema import ema_update
from fergen.optim.private import share_above
from fergen.tasks import guide as guides
from fergen.tasks import perceptual as perceptuals
from fergen.tasks import private
from fergen.tasks.cvae_nets import applied, from_noise, initial, networks_of, predict_of, sampler_of, shapes_of
from fergen.tasks.state import Fixed, State, first_steps, new_net, recorded, updated

__all__ = ["EVALUATOR", "Task", "build", "predict_of", "references", "shapes_of"]

# What the loop measures along training.
EVALUATOR = "reconstruction"
# It can train with differential privacy.
PRIVATE = True
# Points of the path from noise at which the prior learns from each latent: they cost little beside an image.
PRIOR_DRAWS = 4


@dataclass(frozen=True)
class Task:
    """A CVAE to train: `init` and `step` are pure; `predict` is name -> pure function.

    Attributes:
        spec: what predict needs beside the weights: model, classes, image shape, size of the latent, regions.
        networks: encoder, decoder and prior.
        tx: the optimiser.
        rate: step -> learning rate, for the record.
        loss: the config's group: reconstruction, scale, beta, warmup, free_bits, unlabelled.
        regions: name -> (box, weight), see `variational.region_weights`.
        mirror: chance that an image is mirrored.
        ema: decay per step of the moving average; 0 for none.
        perceptual: the term of a frozen network's feature maps; None for none.
        alone: the first steps, which go without the terms of frozen networks; 0 where there are none.
        guide: the term of a frozen classifier; None for none.
        samples: to so many images of a batch guide and perceptual network see one sample.
        privacy: differentially private training; None for none.
    """

    spec: dict[str, Any]
    networks: Any
    tx: optax.GradientTransformation
    rate: Callable
    loss: Mapping[str, Any]
    regions: dict[str, tuple[Any, float]]
    mirror: float
    ema: float
    perceptual: perceptuals.Perceptual | None
    alone: int
    guide: guides.Guide | None
    samples: int
    privacy: private.Privacy | None = None

    def init(self, key: jax.Array, batch_spec: Mapping[str, jax.ShapeDtypeStruct]) -> State:
        """Initialise from shapes alone.

        Args:
            key: random key.
            batch_spec: shapes of a batch; `image` is uint8 [b, h, w, c].
        """
        net = new_net(initial(self.spec, key), self.tx, ema=self.ema > 0)
        return State(step=jnp.zeros((), jnp.int32), nets={"cvae": net})

    @property
    def parts(self) -> dict[str, Callable]:
        """The steps of the two stages: without the terms of frozen networks, where there is such a stage, and with."""
        return ({"alone": replace(self, perceptual=None, guide=None).step} if self.alone else {}) | {"step": self.step}

    def due(self, step: int) -> tuple[str, ...]:
        """Return the part that the step of a number is."""
        return ("alone",) if step < self.alone else ("step",)

    def step(self, state: State, batch: dict, key: jax.Array, frozen: dict) -> tuple[State, dict[str, jax.Array]]:
        """Take one optimiser step of all three networks.

        Args:
            state: donated.
            batch: image uint8 [b, h, w, c], label int32 [b]; of private training, mask float32 [b].
            key: this step's random key.
            frozen: variables of `perceptual` and `guide`, where there are such.

        Returns:
            The next state, and scalars: loss, in nats per image up to a constant; its terms, weighted; the plain
            divergence; the mean squared error; norms.
        """
        net, loss = state.nets["cvae"], self.loss
        images = random_mirror(named(key, "mirror"), to_float(batch["image"]), self.mirror)
        beta = loss["beta"] * variational.warmup(state.step, loss["warmup"])

        def loss_fn(params, images, labels, key):
            encode, decode, velocity = applied(self.networks, params)
            mean, logvar = encode(images, labels)
            latents = mean + jnp.exp(logvar / 2) * jax.random.normal(named(key, "posterior"), mean.shape)
            made = decode(latents, labels)
            kl = variational.kl_per_unit(mean, logvar)
            terms = {
                "reconstruction": variational.reconstruction(
                    loss["reconstruction"],
                    images - made,
                    scale=loss["scale"],
                    weights=variational.region_weights(self.regions, *images.shape[1:3]),
                ),
                "divergence": beta * variational.with_free_bits(kl, loss["free_bits"]),
            }
            if self.networks.prior:
                # Data to the prior, which so has no say in what the latents are.
                points, shown = (jnp.repeat(x, PRIOR_DRAWS, axis=0) for x in (jax.lax.stop_gradient(latents), labels))
                kept = jax.random.uniform(named(key, "labels"), shown.shape) >= loss["unlabelled"]
                shown = jnp.where(kept, shown, len(self.spec["classes"]))
                terms["prior"] = variational.velocity_error(partial(velocity, shown), named(key, "prior"), points)
            if self.guide or self.perceptual:
                asked = labels[:: self.samples]
                samples = decode(self.drawn(params, asked, key), asked).clip(-1, 1)
            if self.perceptual:
                terms["perceptual"] = self.perceptual.loss(frozen["perceptual"], images, made, samples)
            if self.guide:
                terms["guide"] = self.guide.loss(named(key, "views"), frozen["guide"], samples, asked)
            return sum(terms.values()), {**terms, "kl": kl.sum(-1).mean(), "mse": jnp.square(images - made).mean()}

        if self.privacy:
            gradient = self.privacy.gradient(lambda params, rows, key: loss_fn(params, *rows, key))
            (*each, norms), grads = gradient(net.params, (images, batch["label"]), batch["mask"], key)
            total, seen = jax.tree.map(partial(weighted_mean, mask=batch["mask"]), each)
            seen["privacy/clipped"] = share_above(norms, batch["mask"], self.privacy.clip_norm)
        else:
            (total, seen), grads = jax.value_and_grad(loss_fn, has_aux=True)(net.params, images, batch["label"], key)
        net, norms = updated(net, self.tx, grads, {})
        net = net.replace(ema=net.ema and ema_update(net.ema, net.params, {}, self.ema, state.step))
        metrics = {
            "loss": total,
            **seen,
            "learning_rate": self.rate(state.step),
            **{f"norm/{name}": value for name, value in norms.items()},
        }
        return state.replace(step=state.step + 1, nets={"cvae": net}), metrics

    def drawn(self, params, labels: jax.Array, key: jax.Array) -> jax.Array:
        """Return latents [n, d] for labels [n], as samples have them."""
        noise = jax.random.normal(named(key, "latents"), (len(labels), *self.spec["latent"]))
        noise *= self.spec["sampler"]["truncation"]
        # The prior fits latents alone: it is not to please guide or perceptual network.
        return jax.lax.stop_gradient(from_noise(self.spec, self.networks, params, noise, labels))

    @property
    def predict(self) -> dict[str, Callable]:
        """Name -> pure function; see `predict_of`."""
        return predict_of(self.spec)

    @staticmethod
    def weights(state: State) -> dict[str, Any]:
        """Return the weights for use, without the optimiser."""
        return state.nets["cvae"].variables()


def references(config) -> dict[str, str]:
    """Return the fixed networks that training needs: the perceptual network and the guide."""
    return {**perceptuals.references(config), **guides.references(config)}


def build(config, train: Split, steps: int, fixed: Mapping[str, Fixed]) -> Task:
    """Build the task of a config.

    Args:
        config: fields model, sampler, augment, loss, perceptual, guide, samples, optim, ema, privacy, precision.
        train: the training set, for its classes, image shape, and counts of labels.
        steps: optimiser steps of the whole run, for the schedule.
        fixed: the networks of `references`.

    Raises:
        BadInput: a field is out of range or does not go with private training, or a fixed network does not serve.
    """
    data = train.spec
    counts = np.bincount(train.labels, minlength=len(data.classes))
    height, width, channels = data.image_shape
    spec = {
        "task": "cvae",
        "model": {**dict(config.model), "dtype": config.precision},
        "classes": list(data.classes),
        "image": {"height": height, "width": width, "channels": channels},
        "data": {"hash": data.hash, "split": train.name},
        "latent": [fields.whole("model.latent", config.model.latent, 1)],
        "conditional": True,
        "prior": (counts / counts.sum()).tolist(),
        "sampler": dict(config.sampler),
        "regions": {name: list(region.box) for name, region in config.loss.regions.items()},
        **recorded("perceptual", fixed),
        **recorded("guide", fixed),
    }
    sampler_of(spec)
    perceptual, guide = perceptuals.perceptual_of(config, fixed), guides.guide_of(config, spec, fixed)
    share = fields.number("perceptual.share", config.perceptual.share, 0.01, 1)
    privacy = private.privacy_of(config, len(train), steps)
    if privacy and config.perceptual.moments:
        raise BadInput(
            f"--config.perceptual.moments={config.perceptual.moments:g} with privacy: expected 0, as it compares"
            " sets of images, which have no gradient per image"
        )
    return Task(
        spec=spec,
        networks=networks_of(spec),
        tx=optim.build(config.optim, steps),
        rate=optim.learning_rate(config.optim, steps),
        loss=checked_loss(config),
        regions=checked_regions(config, height, width),
        mirror=fields.number("augment.mirror", config.augment.mirror, 0, 1),
        ema=config.ema,
        perceptual=perceptual,
        alone=first_steps(1 - share, steps, config.scan) if perceptual or guide else 0,
        guide=guide,
        samples=fields.whole("samples", config.samples, 1),
        privacy=privacy,
    )


def checked_loss(config) -> dict[str, Any]:
    """Return the plain fields of `config.loss`.

    Raises:
        BadInput: one is out of range.
    """
    names = ("reconstruction", "scale", "beta", "warmup", "free_bits", "unlabelled")
    loss = {name: config.loss[name] for name in names}
    variational.pixel_errors(loss["reconstruction"], jnp.zeros(()))
    for name in ("scale", "beta", "free_bits"):
        fields.number(f"loss.{name}", loss[name])
    fields.number("loss.unlabelled", loss["unlabelled"], 0, 1)
    fields.whole("loss.warmup", loss["warmup"], 0)
    return loss


def checked_regions(config, height: int, width: int) -> dict[str, tuple[Any, float]]:
    """Return the regions of `config.loss`: name -> (box, weight).

    Raises:
        BadInput: a weight is negative, or a box holds no pixel of the image or leaves it.
    """
    regions = {
        name: (region.box, fields.number(f"loss.regions.{name}.weight", region.weight))
        for name, region in config.loss.regions.items()
    }
    variational.region_weights(regions, height, width)
    return regions
