"""StyleGAN2-ADA: mapping, synthesis and discriminator, and how styles are mixed and truncated.

Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN" (arXiv:1912.04958) and "Training generative
adversarial networks with limited data" (arXiv:2006.06676). Resolutions are base x 2^k: beside the powers of two, where
the base is 4, for example 48 = 3 x 16.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from fergen.core.errors import BadInput
from fergen.models.stylegan2_discriminator import Discriminator
from fergen.models.stylegan2_layout import ARCHITECTURES, Layout
from fergen.models.stylegan2_mapping import Mapping as MappingNetwork
from fergen.models.stylegan2_synthesis import Synthesis
from fergen.nn import fir
from fergen.nn.activation import ACTIVATIONS

__all__ = ["Networks", "build", "draw_noise", "mixed", "truncated"]


class Networks(NamedTuple):
    """The networks: see `stylegan2_mapping.Mapping`, `Synthesis` and `Discriminator`."""

    mapping: Any
    synthesis: Any
    discriminator: Any


def truncated(
    ws: Float[Array, "n k d"], centre: Float[Array, "*n d"], psi: float | jax.Array, cutoff: int | None = None
) -> Float[Array, "n k d"]:
    """Move styles towards a centre: w' = centre + psi (w - centre) (Karras et al. 2019, arXiv:1812.04948, appendix B).

    Args:
      ws: styles of all layers.
      centre: the mean style, of all faces [d] or of each one's class [n, d].
      psi: 1 leaves everything as it is, 0 gives the centre.
      cutoff: layers, from the first, that are moved; None for all.
    """
    centre = centre[..., None, :]
    moved = centre + psi * (ws - centre)
    if cutoff is None:
        return moved
    return jnp.where((jnp.arange(ws.shape[1]) < cutoff)[:, None], moved, ws)


def mixed(
    ws: Float[Array, "n k d"], others: Float[Array, "n k d"], cutoff: Int[Array, ""] | int
) -> Float[Array, "n k d"]:
    """Take the first `cutoff` layers' styles from ws and the rest from others (arXiv:1812.04948, section 3.1)."""
    return jnp.where((jnp.arange(ws.shape[1]) < cutoff)[:, None], ws, others)


def draw_noise(key: Key[Array, ""], layout: Layout, n: int) -> list[Float[Array, "n h w 1"]]:
    """Draw fresh noise for every layer of the synthesis network, in its order."""
    sizes = layout.noise_sizes
    return [jax.random.normal(k, (n, size, size, 1)) for k, size in zip(jax.random.split(key, len(sizes)), sizes)]


def build(
    *,
    num_classes: int,
    image: tuple[int, int, int],
    z_dim: int = 512,
    w_dim: int = 512,
    mapping_layers: int = 8,
    mapping_lr: float = 0.01,
    label_layers: int = 8,
    label_lr: float = 0.01,
    channel_base: int = 16384,
    channel_max: int = 512,
    synthesis: str = "skip",
    discriminator: str = "resnet",
    activation: str = "lrelu",
    resample_filter: Sequence = (1, 3, 3, 1),
    noise: bool = True,
    conv_clamp: float | None = None,
    num_fp16_res: int = 0,
    mbstd_group_size: int = 4,
    mbstd_num_channels: int = 1,
    cmap_dim: int = 0,
    different: Mapping[str, Any] | None = None,
    dtype: Any = jnp.float32,
) -> Networks:
    """Build the networks.

    Args:
        num_classes: of the labels; 0 for none.
        image: height, width and channels; height and width are equal.
        z_dim: entries of latents.
        w_dim: entries of styles.
        mapping_layers: layers from latents to styles.
        mapping_lr: multiplier of their learning rate.
        label_layers: layers from a label to what the discriminator compares with, 0 to 8.
        label_lr: multiplier of their learning rate.
        channel_base: channels times resolution, before `channel_max` bounds the channels.
        channel_max: channels.
        synthesis: architecture, see `ARCHITECTURES`.
        discriminator: architecture, likewise.
        activation: see `fergen.nn.activation`.
        resample_filter: taps of the filter by which resolutions change.
        noise: whether the synthesis network has any.
        conv_clamp: bound of activations in blocks; None for none.
        num_fp16_res: of the blocks, those of the highest resolutions, so many compute in `dtype`.
        mbstd_group_size: images whose spread the discriminator sees; 0 for the whole batch.
        mbstd_num_channels: channels in which it is told; 0 for none.
        cmap_dim: entries of the discriminator's label vector; 0 for as many as the last block's channels.
        different: what of channel_base, channel_max, activation, resample_filter, conv_clamp and num_fp16_res
            the discriminator has otherwise.
        dtype: of the computation in these blocks.

    Raises:
        BadInput: the image is not square or its size is not base x 2^k, or an option is out of range.
    """
    for name, given, known in (
        ("synthesis", synthesis, ARCHITECTURES),
        ("discriminator", discriminator, ARCHITECTURES),
        ("activation", activation, tuple(ACTIVATIONS)),
    ):
        if given not in known:
            raise BadInput(f"model stylegan2: expected {name} to be one of {', '.join(known)}, found {given!r}")
    least = {"z_dim": z_dim - 1, "w_dim": w_dim - 1, "mapping_layers": mapping_layers - 1, "label_layers": label_layers}
    least |= {"channel_base": channel_base - 1, "channel_max": channel_max - 1, "num_fp16_res": num_fp16_res}
    least |= {"mbstd_group_size": mbstd_group_size, "mbstd_num_channels": mbstd_num_channels, "cmap_dim": cmap_dim}
    for name, spare in least.items():
        if spare < 0:
            raise BadInput(f"model stylegan2: {name} is too small")
    own = {
        "channel_base": channel_base,
        "channel_max": channel_max,
        "activation": activation,
        "resample_filter": resample_filter,
        "conv_clamp": conv_clamp,
        "num_fp16_res": num_fp16_res,
    }
    if not set(different or {}) <= set(own):
        raise BadInput(
            f"model stylegan2: expected different to be of {', '.join(own)}, found {', '.join(different or {})}"
        )
    common, others = (common_of(image, np.dtype(dtype), **options) for options in (own, {**own, **(different or {})}))
    return Networks(
        mapping=MappingNetwork(
            z=z_dim, classes=num_classes, w=w_dim, layers=mapping_layers, rate=mapping_lr, activation=activation
        ),
        synthesis=Synthesis(architecture=synthesis, noise=noise, **common),
        discriminator=Discriminator(
            classes=num_classes,
            architecture=discriminator,
            group=mbstd_group_size,
            group_channels=mbstd_num_channels,
            label_layers=label_layers,
            label_rate=label_lr,
            cmap=cmap_dim or others["layout"].channels[0],
            **others,
        ),
    )


def common_of(
    image: tuple[int, int, int],
    dtype: Any,
    *,
    channel_base,
    channel_max,
    activation,
    resample_filter,
    conv_clamp,
    num_fp16_res,
) -> dict[str, Any]:
    """Return what synthesis network and discriminator are built from alike; arguments and errors as of `build`."""
    return {
        "layout": Layout.of(image, channel_base=channel_base, channel_max=channel_max, num_fp16_res=num_fp16_res),
        "activation": activation,
        "taps": fir.normalised(resample_filter),
        "clamp": conv_clamp,
        "dtype": dtype,
    }
