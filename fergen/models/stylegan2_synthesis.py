"""StyleGAN2's synthesis network: styles to images."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from fergen.models.stylegan2_layout import Layout
from fergen.nn import fir
from fergen.nn.equalized import Conv
from fergen.nn.modulated import SynthesisLayer, ToRGB

SQRT_HALF = 0.5**0.5


class Synthesis(nn.Module):
    """Styles to images, block by block: Karras et al. 2020 (arXiv:1912.04958), figures 2 and 7.

    Attributes:
        layout: sizes of the blocks.
        architecture: see `stylegan2_layout.ARCHITECTURES`.
        activation: see `fergen.nn.activation`.
        taps: of the filter by which resolutions double.
        clamp: bound of activations; None for none.
        noise: whether layers add noise.
        dtype: of the computation in the layout's half blocks; images are float32 throughout, or float64.
    """

    layout: Layout
    architecture: str
    activation: str
    taps: Any
    clamp: float | None
    noise: bool
    dtype: Any

    @nn.compact
    def __call__(self, ws: jax.Array, noise: str | Sequence[jax.Array] = "const", seen: dict | None = None) -> Any:
        """Map styles [n, layout.styles, w] to images [n, size, size, colours], near [-1, 1].

        Args:
            ws: the style of each layer. A block's colours share the style of the next block's first layer.
            noise: "const" for each layer's own, "none", or standard normal numbers [n, h, w, 1] for each, in order.
            seen: a dict that takes every block's features and image, for those who look inside.
        """
        x = image = None
        at = 0
        for level, size in enumerate(self.layout.sizes):
            block = Block(
                layout=self.layout,
                level=level,
                architecture=self.architecture,
                activation=self.activation,
                taps=self.taps,
                clamp=self.clamp,
                noise=self.noise,
                dtype=self.dtype if self.layout.half[level] else ws.dtype,
                name=f"b{size}",
            )
            layers = 2 if level else 1
            given = noise if isinstance(noise, str) else noise[at : at + layers]
            x, image = block(x, image, ws[:, at : at + layers + 1], given)
            at += layers
            if seen is not None:
                seen[f"b{size}"] = (x, image)
        return image


class Block(nn.Module):
    """One resolution: one or two layers, and colours where the architecture has them. See `Synthesis`."""

    layout: Layout
    level: int
    architecture: str
    activation: str
    taps: Any
    clamp: float | None
    noise: bool
    dtype: Any

    @nn.compact
    def __call__(self, x, image, ws, noise) -> tuple[jax.Array, jax.Array | None]:
        """Return features and image of this resolution, given those of the one below and a style for each layer."""
        size, features = self.layout.sizes[self.level], self.layout.channels[self.level]
        last = self.level == len(self.layout.sizes) - 1

        def layer(name: str, x: jax.Array, i: int, **options: Any) -> jax.Array:
            given = noise if isinstance(noise, str) else noise[i]
            made = SynthesisLayer(
                features,
                size,
                self.taps,
                use_noise=self.noise,
                activation=self.activation,
                clamp=self.clamp,
                name=name,
                **options,
            )
            return made(x, ws[:, i], given)

        if self.level == 0:
            const = self.param("const", nn.initializers.normal(1.0), (size, size, features))
            x = jnp.broadcast_to(const, (ws.shape[0], *const.shape)).astype(self.dtype)
            x, layers = layer("conv1", x, 0), 1
        else:
            x, layers = x.astype(self.dtype), 2
            skip = self.architecture == "resnet" and Conv(
                features, 1, self.taps, use_bias=False, up=2, gain=SQRT_HALF, name="skip"
            )(x)
            x = layer("conv0", x, 0, up=2)
            x = layer("conv1", x, 1, gain=SQRT_HALF if self.architecture == "resnet" else 1.0)
            x = x if skip is False else skip + x
            image = None if image is None else fir.upsample(image, self.taps)
        if last or self.architecture == "skip":
            colours = ToRGB(self.layout.colours, self.clamp, name="torgb")(x, ws[:, layers]).astype(ws.dtype)
            image = colours if image is None else image + colours
        return x, image
