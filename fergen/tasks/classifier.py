"""The classifier: softmax cross-entropy on labels, label distributions, or what teachers say.

With --config.privacy.epsilon its gradients are differentially private: see `fergen.tasks.private`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from fergen.augment import pipeline
from fergen.core.arrays import to_float
from fergen.core.errors import BadInput
from fergen.core.keys import named
from fergen.data.dataset import Split
from fergen.losses.classification import balanced_weights, cross_entropy, weighted_mean
from fergen.nn.probe import COLLECTION, NAME
from fergen.optim import build as optim
from fergen.optim.ema import ema_update
from fergen.optim.private import share_above
from fergen.optim.sam import sam_gradient
from fergen.tasks import private
from fergen.tasks import teachers as teaching
from fergen.tasks.network import image_of, network_of
from fergen.tasks.state import Fixed, State, new_net, recorded, updated

# What the loop measures along training: a file of fergen/evals.
EVALUATOR = "validation"
# It can train with differential privacy.
PRIVATE = True


@dataclass(frozen=True)
class Task:
    """A classifier to train: `init` and `step` are pure; `predict` is name -> pure function of (variables, images).

    Attributes:
        spec: what predict needs beside the weights: model, classes, image shape, mean and std.
        module: the network.
        tx: the optimiser.
        rate: step -> learning rate, for the record.
        augment: (key, images [-1, 1], soft labels) -> the same, augmented.
        class_weights: float32 [k], the weight of each class in the loss.
        label_smoothing: mass spread over all classes, in [0, 1).
        ema: decay per step of the moving average; 0 for none.
        sam: radius of sharpness-aware minimisation; 0 for none.
        privacy: differentially private training; None for none.
        teachers: frozen classifiers that it learns from beside the labels; None for none.
    """

    spec: dict[str, Any]
    module: Any
    tx: optax.GradientTransformation
    rate: Callable
    augment: Callable
    class_weights: np.ndarray
    label_smoothing: float
    ema: float
    sam: float
    privacy: private.Privacy | None = None
    teachers: teaching.Teachers | None = None

    def init(self, key: jax.Array, batch_spec: Mapping[str, jax.ShapeDtypeStruct]) -> State:
        """Initialise from shapes alone.

        Args:
            key: random key.
            batch_spec: shapes of a batch; `image` is uint8 [b, h, w, c].
        """
        image = jnp.zeros((1, *image_of(self.spec)))
        variables = self.module.init({"params": key}, image, train=False)
        net = new_net(variables, self.tx, ema=self.ema > 0)
        return State(step=jnp.zeros((), jnp.int32), nets={"classifier": net})

    def step(self, state: State, batch: dict, key: jax.Array, frozen: dict) -> tuple[State, dict[str, jax.Array]]:
        """Take one optimiser step.

        Args:
            state: donated.
            batch: image uint8 [b, h, w, c], label int32 [b], optional soft float32 [b, k], weight float32 [b]; of
                private training, mask float32 [b].
            key: this step's random key.
            frozen: variables of the teachers.

        Returns:
            The next state, and scalars: loss, accuracy (against the label of highest mass after mixing), norms.
        """
        net = state.nets["classifier"]
        soft = batch.get("soft", jax.nn.one_hot(batch["label"], len(self.spec["classes"])))
        images, soft = self.augment(named(key, "augment"), to_float(batch["image"]), soft)
        asked = soft.argmax(-1)
        if self.teachers:
            soft = self.teachers.target(frozen, images, soft)
        x = normalise(images, self.spec)

        def loss_fn(params, x, soft, weight, key):
            logits, moved = self.module.apply(
                {"params": params, **net.collections},
                x,
                train=True,
                rngs={"dropout": key},
                mutable=list(net.collections),
            )
            losses = cross_entropy(
                logits, soft, smoothing=self.label_smoothing, class_weights=jnp.asarray(self.class_weights)
            )
            return weighted_mean(losses, weight=weight), (logits, moved)

        weight, mask = batch.get("weight"), batch.get("mask")
        if self.privacy:
            gradient = self.privacy.gradient(lambda params, rows, key: loss_fn(params, *rows, key))
            (losses, (logits, _), each), grads = gradient(net.params, (x, soft, weight), mask, key)
            loss, collections = weighted_mean(losses, mask=mask), net.collections
            extra = {"privacy/clipped": share_above(each, batch["mask"], self.privacy.clip_norm)}
        else:
            gradient = sam_gradient(loss_fn, self.sam) if self.sam else jax.value_and_grad(loss_fn, has_aux=True)
            (loss, (logits, collections)), grads = gradient(net.params, x, soft, weight, named(key, "dropout"))
            extra = {}
        net, norms = updated(net, self.tx, grads, collections)
        net = net.replace(ema=net.ema and ema_update(net.ema, net.params, collections, self.ema, state.step))

        metrics = {
            "loss": loss,
            "accuracy": weighted_mean((logits.argmax(-1) == asked).astype(jnp.float32), mask=mask),
            "learning_rate": self.rate(state.step),
            **extra,
            **{f"norm/{name}": value for name, value in norms.items()},
        }
        return state.replace(step=state.step + 1, nets={"classifier": net}), metrics

    @property
    def predict(self) -> dict[str, Callable]:
        """Name -> pure function; see `predict_of`."""
        return predict_of(self.spec)

    @staticmethod
    def weights(state: State) -> dict[str, Any]:
        """Return the weights for use, without the optimiser."""
        return state.nets["classifier"].variables()


def references(config) -> dict[str, str]:
    """Return the fixed networks that training needs: the teachers."""
    return teaching.references(config)


def build(config, train: Split, steps: int, fixed: Mapping[str, Fixed]) -> Task:
    """Build the task of a config.

    Args:
        config: fields model, optim, augment, loss, teachers, ema, sam, privacy, precision.
        train: the training set, for its classes, image shape, mean, std, and counts of labels.
        steps: optimiser steps of the whole run, for the schedule.
        fixed: the networks of `references`.

    Raises:
        BadInput: a field is out of range, or does not go with private training; a teacher is none.
    """
    if not 0 <= config.loss.label_smoothing < 1:
        raise BadInput(f"--config.loss.label_smoothing={config.loss.label_smoothing}: expected a share in [0, 1)")
    if config.sam < 0:
        raise BadInput(f"--config.sam={config.sam}: expected a radius of 0 (off) or more")
    data = train.spec
    height, width, channels = data.image_shape
    spec = {
        "task": "classifier",
        "model": {**dict(config.model), "dtype": config.precision},
        "classes": list(data.classes),
        "image": {"height": height, "width": width, "channels": channels},
        "mean": list(data.mean),
        "std": list(data.std),
        "data": {"hash": data.hash, "split": train.name},
    }
    for role in fixed:
        spec |= recorded(role, fixed)
    privacy = private.privacy_of(config, len(train), steps)
    if privacy:
        require_apart(config, spec)
    return Task(
        spec=spec,
        module=network_of(spec),
        tx=optim.build(config.optim, steps),
        rate=optim.learning_rate(config.optim, steps),
        augment=pipeline.build(config.augment),
        class_weights=class_weights(config.loss.class_weights, np.bincount(train.labels, minlength=len(data.classes))),
        label_smoothing=config.loss.label_smoothing,
        ema=config.ema,
        sam=config.sam,
        privacy=privacy,
        teachers=teaching.teachers_of(config, data.classes, fixed),
    )


def require_apart(config, spec: Mapping[str, Any]) -> None:
    """Check that no row of a batch has a part in another's gradient.

    Raises:
        BadInput: the network has batch statistics, images are mixed, or SAM goes by the whole batch's gradient.
    """
    if "batch_stats" in shapes_of(spec):
        raise BadInput(
            f"--config.model.name={config.model.name} with privacy: batch statistics mix the rows of a batch; set"
            " --config.model.norm=group (of fernet, cnn, cnn_simple, resnet) or batch_norm=False (of vgg)"
        )
    for name in ("mixup", "cutmix"):
        if config.augment[name]:
            raise BadInput(
                f"--config.augment.{name}={config.augment[name]:g} with privacy: expected None or 0, as it mixes rows"
            )
    if config.sam:
        raise BadInput(f"--config.sam={config.sam:g} with privacy: expected 0, as SAM's ascent has no private gradient")


def class_weights(kind: str, counts: np.ndarray) -> np.ndarray:
    """Return float32 [k]: ones for 'none'; for 'balanced', proportional to 1 / n_c with mean 1 over the rows."""
    if kind == "none":
        return np.ones(len(counts), np.float32)
    if kind == "balanced":
        return np.asarray(balanced_weights(jnp.asarray(counts)))
    raise BadInput(f"--config.loss.class_weights={kind}: expected none or balanced")


def shapes_of(spec: Mapping[str, Any]) -> Any:
    """Return the shapes and types of the weights that a spec describes."""
    x = jax.ShapeDtypeStruct((1, *image_of(spec)), jnp.float32)
    return jax.eval_shape(lambda key, x: network_of(spec).init(key, x, train=False), jax.random.key(0), x)


def normalise(images: jax.Array, spec: Mapping[str, Any]) -> jax.Array:
    """Subtract the training set's mean and divide by its std, per channel."""
    return (images - jnp.asarray(spec["mean"], jnp.float32)) / jnp.asarray(spec["std"], jnp.float32)


def conform(images: jax.Array, spec: Mapping[str, Any]) -> jax.Array:
    """Bring images [b, h, w, c] of any size, gray or colour, to what the spec's network reads.

    Colour becomes gray by the ITU-R BT.601 luma; sizes change by bilinear interpolation, with antialiasing downwards.
    """
    size, channels = spec["image"], images.shape[-1]
    images = to_float(images)
    if channels == 3 and size["channels"] == 1:
        images = images @ jnp.asarray([[0.299], [0.587], [0.114]], jnp.float32)
    elif channels == 1 and size["channels"] == 3:
        images = jnp.repeat(images, 3, axis=-1)
    shape = (images.shape[0], *image_of(spec))
    if images.shape != shape:
        images = jax.image.resize(images, shape, "bilinear", antialias=True)
    return images


def predict_of(spec: Mapping[str, Any]) -> dict[str, Callable]:
    """Return the pure functions of a trained classifier.

    `logits(variables, images)`: images uint8 or float32 [-1, 1], [b, h, w, c] of any size -> float32 [b, k].
    `features(variables, images)`: -> float32 [b, d], the vector before the head.
    `maps(variables, images)`: -> name -> feature maps [b, h', w', c'], all that the model sows: its stages from the
    input on (stage1, stage2, ...; VGG's are relu1_1, relu1_2, ...), and the last, feature_map. What is not used costs
    nothing in a compiled call.
    `probe(variables, images, added=None)`: -> logits float32 [b, k], and the activations [b, h', w', c'] of the last
    convolution; `added` to them, of their shape, the logits are those of what follows: see `fergen.nn.probe`.
    """
    module = network_of(spec)

    def sown(variables, images):
        x = normalise(conform(images, spec), spec)
        _, seen = module.apply(variables, x, train=False, mutable=["intermediates"])
        return {name: value for name, (value,) in seen["intermediates"].items()}

    def logits(variables, images):
        x = normalise(conform(images, spec), spec)
        return module.apply(variables, x, train=False).astype(jnp.float32)

    def features(variables, images):
        return sown(variables, images)["features"].astype(jnp.float32)

    def maps(variables, images):
        found = sown(variables, images)
        return {name: value for name, value in found.items() if name not in ("features", NAME)}

    def probe(variables, images, added=None):
        probes = {} if added is None else {COLLECTION: {NAME: added}}
        x = normalise(conform(images, spec), spec)
        found, seen = module.apply({**variables, **probes}, x, train=False, mutable=["intermediates"])
        return found.astype(jnp.float32), seen["intermediates"][NAME][0].astype(jnp.float32)

    return {"logits": logits, "features": features, "maps": maps, "probe": probe}
