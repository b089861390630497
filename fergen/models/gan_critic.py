"""The critic of every GAN: residual convolutions without normalisation, and what they say of images.

It sees pixels and, where a config names a frozen network, that network's feature maps (Sauer et al. 2021, "Projected
GANs converge faster", arXiv:2111.01007, section 3: here without the random projections, and beside the pixels, whose
grain the maps miss). Each of these inputs has convolutions of its own; their ends are judged together.

Five ways of conditioning:

- none: labels are ignored.
- concat: the critic sees a learned plane of the label beside the image (Mirza & Osindero 2014, arXiv:1411.1784).
- projection: the inner product of the label's embedding with its features is added (Miyato & Koyama 2018,
  arXiv:1802.05637, eq. 3).
- auxiliary: the critic also classifies (Odena et al. 2017, arXiv:1610.09585).
- reacgan: the critic also embeds on the unit sphere, beside one proxy per class (Kang et al. 2021, arXiv:2111.01118,
  section 3.1).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from einops import rearrange
from flax import linen as nn

from fergen.core.errors import BadInput
from fergen.nn.conv import Conv

CONDITIONINGS = ("none", "concat", "projection", "auxiliary", "reacgan")
# Height and width at which the convolutions end, at most.
END = 4

# He et al. 2015 (arXiv:1502.01852), eq. 10: the variance that keeps activations behind rectifiers constant.
he_init = nn.initializers.variance_scaling(2.0, "fan_in", "normal")
# Embeddings of labels stand beside latents, pixels and features, whose entries are of size 1.
normal_init = nn.initializers.normal(1.0)


class Networks(NamedTuple):
    """The networks of a GAN.

    Attributes:
        generator: latents and labels to images.
        critic: images and labels to a `Judgement`.
        encoder: images and labels to the moments of latents, for a generator that begins as a decoder; else None.
    """

    generator: Any
    critic: Any
    encoder: Any = None


class Judgement(NamedTuple):
    """What a critic says of images.

    Attributes:
        logits: float32 [n]; greater is more real.
        spread: float32 [e], the mean of `class_spread` at the end of each input, the pixels' first.
        each: projection: float32 [n, k], the logits that the image would get under each label.
        classes: auxiliary: class logits float32 [n, k].
        embedding: reacgan: unit vectors float32 [n, e].
        proxies: reacgan: unit vectors float32 [k, e], one for each class.
    """

    logits: jax.Array
    spread: jax.Array
    each: jax.Array | None = None
    classes: jax.Array | None = None
    embedding: jax.Array | None = None
    proxies: jax.Array | None = None


class Down(nn.Module):
    """A residual block that halves the resolution: 3x3, mean of 2x2 pixels, 3x3 to more channels."""

    features: int
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Return [n, h/2, w/2, features] from x [n, h, w, c]."""
        skip = Conv(self.features, 1, use_bias=False, dtype=self.dtype, name="skip")(halve(x))
        y = Conv(x.shape[-1], 3, kernel_init=he_init, dtype=self.dtype, name="conv0")(leaky(x))
        y = Conv(self.features, 3, kernel_init=he_init, dtype=self.dtype, name="conv1")(halve(leaky(y)))
        return (skip + y) * 0.5**0.5


class Critic(nn.Module):
    """Images and labels to judgements.

    Attributes:
        num_classes: of the labels.
        conditioning: one of `CONDITIONINGS`.
        width: channels at half of the resolution, doubled with each halving.
        widest: most channels anywhere, and features of the end of each input.
        dtype: of the computation.
    """

    num_classes: int
    conditioning: str
    width: int
    widest: int
    dtype: Any

    @nn.compact
    def __call__(
        self,
        images: jax.Array,
        labels: jax.Array,
        maps: Mapping[str, jax.Array] | None = None,
        *,
        spread: jax.Array | None = None,
    ) -> Judgement:
        """Judge images.

        Args:
            images: float32 [n, h, w, c] in [-1, 1].
            labels: int32 [n].
            maps: their feature maps in a frozen network, name -> [n, h', w', c'], with entries of size 1.
            spread: float32 [e], taken for that of the images, so that each is judged alone; None to measure it.
        """
        x = rearrange(images.astype(self.dtype), "n (h i) (w j) c -> n h w (i j c)", i=2, j=2)
        if self.conditioning == "concat":
            plane = nn.Embed(self.num_classes, x.shape[1] * x.shape[2], embedding_init=normal_init, name="plane")(
                labels
            )
            x = jnp.concatenate([x, plane.reshape(*x.shape[:3], 1).astype(self.dtype)], axis=-1)
        x = Conv(self.width, 3, dtype=self.dtype, name="stem")(x)
        for level in range(1, halvings(*images.shape[1:3], END)):
            x = Down(channels_at(level + 1, self.width, self.widest), self.dtype, name=f"down{level}")(x)
        ends = {"": leaky(x)}
        for name, x in sorted((maps or {}).items()):
            ends[f"{name}_"] = self.end_of(name, x.astype(self.dtype))
        groups = jnp.zeros_like(labels) if self.conditioning == "none" else labels
        own = [class_spread(x, groups) for x in ends.values()]
        vectors = [
            self.vector(name, x, own[i] if spread is None else spread[i]) for i, (name, x) in enumerate(ends.items())
        ]
        x, spread = jnp.concatenate(vectors, axis=-1), jnp.stack([each.mean() for each in own])
        logits = nn.Dense(1, name="logit")(x)
        if self.conditioning == "projection":
            label = nn.Embed(self.num_classes, x.shape[1], embedding_init=normal_init, name="projection")
            each = logits + label.attend(x) / x.shape[1] ** 0.5
            return Judgement(jnp.take_along_axis(each, labels[:, None], axis=1)[:, 0], spread, each=each)
        logits = logits[:, 0]
        if self.conditioning == "auxiliary":
            return Judgement(logits, spread, classes=nn.Dense(self.num_classes, name="classes")(x))
        if self.conditioning == "reacgan":
            proxies = self.param("proxies", normal_init, (self.num_classes, self.widest))
            embedding = nn.Dense(self.widest, name="embedding")(x)
            return Judgement(logits, spread, embedding=unit(embedding), proxies=unit(proxies))
        return Judgement(logits, spread)

    def end_of(self, name: str, x: jax.Array) -> jax.Array:
        """Return the end of a feature map's own convolutions [n, h, w, widest], where h and w halve to at most END."""
        x = Conv(self.widest // 2, 1, dtype=self.dtype, name=f"{name}_in")(x)
        for level in range(1, halvings(*x.shape[1:3], END) + 1):
            x = Down(self.widest, self.dtype, name=f"{name}_down{level}")(x)
        return leaky(Conv(self.widest, 3, kernel_init=he_init, dtype=self.dtype, name=f"{name}_conv")(leaky(x)))

    def vector(self, name: str, x: jax.Array, spread: jax.Array) -> jax.Array:
        """Return the features float32 [n, widest] of an end [n, h, w, c] and its spread, [n] or []."""
        plane = jnp.broadcast_to(spread[..., None, None, None], (*x.shape[:3], 1))
        x = jnp.concatenate([x, plane.astype(self.dtype)], axis=-1).reshape(x.shape[0], -1)
        dense = nn.Dense(self.widest, kernel_init=he_init, dtype=self.dtype, name=f"{name}features")
        return leaky(dense(x)).astype(jnp.float32)


def class_spread(x: jax.Array, labels: jax.Array) -> jax.Array:
    """Measure how far the images of each class in a batch differ, for a critic to see a generator that repeats itself.

    The minibatch standard deviation of Karras et al. 2018 (arXiv:1710.10196, section 3) within classes: across them
    even a generator with a single face per class would look diverse.

    Args:
        x: features [n, ...].
        labels: int32 [n].

    Returns:
        float32 [n]: standard deviation among the images of the same label, the mean over features; for an image that
        is alone in its class the mean of the others, so that it tells nothing of how classes were drawn.
    """
    x = x.astype(jnp.float32).reshape(len(x), -1)
    same = (labels[:, None] == labels).astype(jnp.float32)
    n = same.sum(1)
    # Centred before it is squared: a matrix product may be rounded to TF32 or bfloat16 on accelerators.
    x = x - same @ x / n[:, None]
    variance = same @ x**2 / jnp.maximum(n - 1, 1)[:, None]
    # The floor bounds the gradient where all images agree.
    spread = jnp.sqrt(variance + 1e-4).mean(1)
    others = n > 1
    return jnp.where(others, spread, jnp.sum(spread * others) / jnp.maximum(others.sum(), 1))


def leaky(x: jax.Array) -> jax.Array:
    """Rectify with slope 0.2 below zero, the critic's activation since Radford et al."""
    return nn.leaky_relu(x, 0.2)


def halve(x: jax.Array) -> jax.Array:
    """Average 2x2 pixels of [n, h, w, c]: four strided views, a faster gradient on CPU than a window reduction's."""
    rows = x[:, ::2] + x[:, 1::2]
    return 0.25 * (rows[:, :, ::2] + rows[:, :, 1::2])


def unit(x: jax.Array) -> jax.Array:
    """Scale vectors along the last axis to length 1."""
    return x * jax.lax.rsqrt(jnp.sum(x * x, axis=-1, keepdims=True) + 1e-12)


def halvings(height: int, width: int, least: int) -> int:
    """Return how often both sides can be halved without remainder until the shorter one is at most `least`."""
    levels = 0
    while min(height, width) > least and height % 2 == width % 2 == 0:
        height, width, levels = height // 2, width // 2, levels + 1
    return levels


def channels_at(level: int, width: int, widest: int) -> int:
    """Return the channels after `level` halvings: `width` at half of the resolution, twice as many below each time."""
    return min(width << (level - 1), widest)


def require_options(model: str, conditioning: str, **least: int) -> None:
    """Check the options that GANs have in common.

    Args:
        model: its name.
        conditioning: to be one of `CONDITIONINGS`.
        **least: options that are to be 1 or more.

    Raises:
        BadInput: names the first that is not.
    """
    if conditioning not in CONDITIONINGS:
        raise BadInput(f"model {model}: conditioning={conditioning}: expected one of {', '.join(CONDITIONINGS)}")
    for name, value in least.items():
        if value < 1:
            raise BadInput(f"model {model}: {name}={value}: expected 1 or more")
