"""What of a model leaves for other programs: its functions by name, with what each takes and gives.

A classifier gives logits and probabilities of pixels as they are; a generator images of latents and labels; a flow the
velocity that a sampler follows. All compute in single precision, whatever precision the network was trained in.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from fergen.core import target
from fergen.core.errors import BadInput
from fergen.models.stylegan2 import truncated
from fergen.tasks import stylegan2_nets

BATCH = "n"


class Input(NamedTuple):
    """One input of an exported function.

    Attributes:
        name: of it.
        shape: sizes; BATCH for the number of images.
        dtype: float32, int32 or uint8.
        below: whole numbers are in [0, below); 0 for numbers that are not whole.
        default: what it is where a caller gives none; None where each must. Its batch is 1.
    """

    name: str
    shape: tuple[int | str, ...]
    dtype: Any = np.float32
    below: int = 0
    default: np.ndarray | None = None

    def drawn(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Draw a value for n images: whole numbers of the range, times in [0, 1], or standard normal numbers."""
        shape = tuple(n if isinstance(size, str) else size for size in self.shape)
        if self.below:
            return rng.integers(self.below, size=shape).astype(self.dtype)
        bounded = self.name in ("time", "truncation")
        return np.asarray(rng.uniform(size=shape) if bounded else rng.standard_normal(shape), self.dtype)


class Exported(NamedTuple):
    """A function of a model, its weights inside.

    Attributes:
        name: of the function.
        call: inputs in order -> tuple of outputs.
        inputs: in order.
        outputs: their names.
    """

    name: str
    call: Callable[..., tuple[jax.Array, ...]]
    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]


class Anywhere(NamedTuple):
    """The device that exported functions are made for: none in particular, so that convolutions have plain forms."""

    platform: str = "any"


def function_of(restored: Any, name: str = "") -> Exported:
    """Return a function of restored weights.

    Args:
        restored: of `fergen.train.restore`.
        name: of the function; by default the one that serves inference.

    Raises:
        BadInput: the model has no such function.
    """
    task = restored.spec["task"]
    spec = {**restored.spec, "model": {**restored.spec["model"], "dtype": "float32"}}
    makers = {
        "classifier": {"logits": logits, "features": features},
        "gan": {"sample": sample},
        "cvae": {"sample": sample, "decode": decode, "encode": encode},
        "flow": {"velocity": velocity},
        "stylegan2": {"sample": stylegan2, "styles": styles, "synthesise": synthesise},
    }[task]
    name = name or next(iter(makers))
    if name not in makers:
        raise BadInput(f"--function={name}: a {task} has {', '.join(makers)}")
    predict = importlib.import_module(f"fergen.tasks.{task}").predict_of(spec)
    made = makers[name](predict, spec, restored.variables, restored.card)

    def call(*given: jax.Array) -> tuple[jax.Array, ...]:
        with target.described((Anywhere(),)):
            found = made.call(*given)
        return found if isinstance(found, tuple) else (found,)

    return made._replace(name=name, call=call)


def images_of(spec: Mapping[str, Any]) -> Input:
    """Return the input of images."""
    size = spec["image"]
    return Input("images", (BATCH, size["height"], size["width"], size["channels"]), np.uint8, 256)


def labels_of(spec: Mapping[str, Any], more: int = 0) -> Input:
    """Return the input of labels; with `more` numbers beyond the classes."""
    return Input("labels", (BATCH,), np.int32, len(spec["classes"]) + more)


def logits(predict, spec, variables, card) -> Exported:
    """Pixels to logits, and to probabilities at the card's temperature."""
    temperature = card.get("temperature", 1.0)

    def call(images):
        found = predict["logits"](variables, images)
        return found, jax.nn.softmax(found / temperature)

    return Exported("", call, (images_of(spec),), ("logits", "probabilities"))


def features(predict, spec, variables, card) -> Exported:
    """Pixels to the vector before the head."""
    return Exported("", lambda images: predict["features"](variables, images), (images_of(spec),), ("features",))


def sample(predict, spec, variables, card) -> Exported:
    """Latents, and labels where there are such, to images in [-1, 1]."""
    latents = Input("latents", (BATCH, *spec["latent"]))
    if spec["conditional"]:
        given = (latents, labels_of(spec))
        return Exported("", lambda z, y: predict["sample"](variables, z, y), given, ("images",))
    none = lambda z: predict["sample"](variables, z, jnp.zeros(z.shape[0], jnp.int32))  # noqa: E731 (like the others)
    return Exported("", none, (latents,), ("images",))


def decode(predict, spec, variables, card) -> Exported:
    """Latents as the encoder finds them, and labels, to images in [-1, 1]."""
    given = (Input("latents", (BATCH, *spec["latent"])), labels_of(spec))
    return Exported("", lambda z, y: predict["decode"](variables, z, y), given, ("images",))


def encode(predict, spec, variables, card) -> Exported:
    """Pixels and labels to mean and log-variance of the latents."""
    given = (images_of(spec), labels_of(spec))
    return Exported("", lambda x, y: predict["encode"](variables, x, y), given, ("mean", "logvar"))


def velocity(predict, spec, variables, card) -> Exported:
    """One evaluation of a flow's network; the number of classes as a label stands for none."""
    x = Input("x", (BATCH, *spec["latent"]))
    given = (x, Input("time", (BATCH,)), labels_of(spec, more=1))
    return Exported("", lambda x, t, y: predict["velocity"](variables, x, t, y), given, ("velocity",))


def stylegan2(predict, spec, variables, card) -> Exported:
    """Latents, labels where there are such, truncation and noise to images in [-1, 1]."""
    to_styles, to_images = (make(predict, spec, variables, card) for make in (styles, synthesise))
    n = len(to_styles.inputs)

    def call(*given):
        return to_images.call(to_styles.call(*given[:n]), *given[n:])

    return Exported("", call, (*to_styles.inputs, *to_images.inputs[1:]), ("images",))


def styles(predict, spec, variables, card) -> Exported:
    """Latents, labels where there are such, and truncation to styles."""
    sampler = stylegan2_nets.sampler_of(spec)
    whole = stylegan2_nets.predict_of({**spec, "sampler": {**spec["sampler"], "truncation": 1.0}})
    averages = stylegan2_nets.part(variables, "generator", "mapping")["buffers"]
    by_class = spec["conditional"] and sampler.centre == "class"

    def call(z, *more):
        labels, psi = (*more,) if spec["conditional"] else (jnp.zeros(z.shape[0], jnp.int32), *more)
        ws = whole["styles"](variables, z, labels)
        centre = jnp.asarray(averages["w_avg_class"])[labels] if by_class else jnp.asarray(averages["w_avg"])
        return truncated(ws, centre, psi, sampler.cutoff or None)

    latents = Input("latents", (BATCH, *spec["latent"]))
    psi = Input("truncation", (), default=np.asarray(sampler.truncation, np.float32))
    return Exported("", call, (latents, *([labels_of(spec)] if spec["conditional"] else []), psi), ("styles",))


def synthesise(predict, spec, variables, card) -> Exported:
    """Styles and noise to images in [-1, 1]."""
    layout = stylegan2_nets.networks_of(spec).synthesis.layout
    w = stylegan2_nets.networks_of(spec).mapping.w
    noise = noise_of(spec, variables)

    def call(ws, *noise):
        return predict["synthesise"](variables, ws, list(noise) or None).clip(-1, 1)

    return Exported("", call, (Input("styles", (BATCH, layout.styles, w)), *noise), ("images",))


def noise_of(spec: Mapping[str, Any], variables: Any) -> list[Input]:
    """Return the inputs of noise, layer by layer; without any where the network takes none."""
    layout = stylegan2_nets.networks_of(spec).synthesis.layout
    own = stylegan2_nets.part(variables, "generator", "synthesis").get("buffers")
    if not own:
        return []
    layers = [(f"b{size}", name) for size in layout.sizes for name in ("conv0", "conv1") if name in own[f"b{size}"]]
    constant = stylegan2_nets.sampler_of(spec).noise == "const"
    found = []
    for block, layer in layers:
        const = np.asarray(own[block][layer]["noise_const"], np.float32)[None, ..., None]
        default = const if constant else np.zeros_like(const)
        found.append(Input(f"noise_{block}_{layer}", (BATCH, *const.shape[1:]), default=default))
    return found


def drawn(inputs: Sequence[Input], n: int, seed: int = 0) -> list[np.ndarray]:
    """Draw values of inputs for n images."""
    rng = np.random.default_rng(seed)
    return [given.drawn(rng, n) for given in inputs]
