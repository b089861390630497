"""Networks of StyleGAN2's TensorFlow code under the names of its PyTorch code.

Kernels of convolutions become output first, those of doubling convolutions and of skips turned round as well; the
biases of styles, which the older code adds 1 to, hold the 1; noise k belongs to a layer by its number.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from fergen.core.errors import BadInput


def generator(variables: Iterable[tuple[str, np.ndarray]], where: str) -> dict[str, np.ndarray]:
    """Return the official state dict of a generator's variables.

    Args:
        variables: names with `/` and arrays; those of the parts begin with `synthesis/` and `mapping/`.
        where: file name for messages.

    Raises:
        BadInput: a name is unknown.
    """
    found = {}
    for name, value in variables:
        if name == "lod":
            continue
        for pattern, target, form in GENERATOR:
            if match := re.fullmatch(pattern, name):
                found[place(target, match)] = form(np.asarray(value))
                break
        else:
            raise BadInput(f"{where}: expected a variable of StyleGAN2's generator, found {name[:80]!r}")
    return found


def discriminator(variables: Iterable[tuple[str, np.ndarray]], where: str) -> dict[str, np.ndarray]:
    """Return the official state dict of a discriminator's variables; otherwise as `generator`."""
    found = {}
    for name, value in variables:
        for pattern, target, form in DISCRIMINATOR:
            if match := re.fullmatch(pattern, name):
                found[place(target, match)] = form(np.asarray(value))
                break
        else:
            raise BadInput(f"{where}: expected a variable of StyleGAN2's discriminator, found {name[:80]!r}")
    return found


def place(target: str, match: re.Match) -> str:
    """Fill a name in: numbers of layers of noise are resolutions and layers of theirs."""
    if "{noise}" in target:
        k = int(match[1])
        # Noise 0 is of the first block; of resolution r, 2 log2 r - 5 and 2 log2 r - 4.
        size, layer = (4, 1) if k == 0 else (2 ** ((k + 5) // 2), (k + 1) % 2)
        return target.format(noise=f"b{size}.conv{layer}")
    return target.format(*match.groups())


def same(x: np.ndarray) -> np.ndarray:
    """Return an array as it is."""
    return x


def kernel(x: np.ndarray) -> np.ndarray:
    """Turn a kernel [k, k, i, o] to [o, i, k, k]."""
    return np.ascontiguousarray(x.transpose(3, 2, 0, 1))


def turned(x: np.ndarray) -> np.ndarray:
    """Turn a kernel [k, k, i, o] to [o, i, k, k], and round."""
    return kernel(x[::-1, ::-1])


def dense(x: np.ndarray) -> np.ndarray:
    """Turn a matrix [i, o] to [o, i]."""
    return np.ascontiguousarray(x.T)


def first(x: np.ndarray) -> np.ndarray:
    """Drop the leading axis."""
    return x[0]


def style_bias(x: np.ndarray) -> np.ndarray:
    """Add the 1 that the older code adds where it is used."""
    return x + 1


def layer(theirs: str, ours: str, form: Any) -> list[tuple[str, str, Any]]:
    """Return the rows of a layer of the synthesis network."""
    return [
        (rf"synthesis/(\d+)x\1/{theirs}/weight", f"synthesis.b{{}}.{ours}.weight", form),
        (rf"synthesis/(\d+)x\1/{theirs}/bias", f"synthesis.b{{}}.{ours}.bias", same),
        (rf"synthesis/(\d+)x\1/{theirs}/noise_strength", f"synthesis.b{{}}.{ours}.noise_strength", same),
        (rf"synthesis/(\d+)x\1/{theirs}/mod_weight", f"synthesis.b{{}}.{ours}.affine.weight", dense),
        (rf"synthesis/(\d+)x\1/{theirs}/mod_bias", f"synthesis.b{{}}.{ours}.affine.bias", style_bias),
    ]


def conv(theirs: str, ours: str, form: Any = kernel) -> list[tuple[str, str, Any]]:
    """Return the rows of a convolution of the discriminator."""
    return [
        (rf"(\d+)x\1/{theirs}/weight", f"b{{}}.{ours}.weight", form),
        (rf"(\d+)x\1/{theirs}/bias", f"b{{}}.{ours}.bias", same),
    ]


# Pattern of a name, the official name, and what becomes of the array.
GENERATOR = [
    ("dlatent_avg", "mapping.w_avg", same),
    ("mapping/LabelEmbed/weight", "mapping.embed.weight", dense),
    ("mapping/LabelEmbed/bias", "mapping.embed.bias", same),
    (r"mapping/Dense(\d+)/weight", "mapping.fc{}.weight", dense),
    (r"mapping/Dense(\d+)/bias", "mapping.fc{}.bias", same),
    (r"synthesis/noise(\d+)", "synthesis.{noise}.noise_const", lambda x: x[0, 0]),
    ("synthesis/4x4/Const/const", "synthesis.b4.const", first),
    *layer("Conv0_up", "conv0", turned),
    *layer("Conv1", "conv1", kernel),
    *layer("Conv", "conv1", kernel),
    *layer("ToRGB", "torgb", kernel),
    (r"synthesis/(\d+)x\1/Skip/weight", "synthesis.b{}.skip.weight", turned),
]
DISCRIMINATOR = [
    *conv("FromRGB", "fromrgb"),
    *conv("Conv0", "conv0"),
    *conv("Conv1_down", "conv1"),
    *conv("Conv", "conv"),
    (r"(\d+)x\1/Skip/weight", "b{}.skip.weight", kernel),
    ("4x4/Dense0/weight", "b4.fc.weight", dense),
    ("4x4/Dense0/bias", "b4.fc.bias", same),
    ("Output/weight", "b4.out.weight", dense),
    ("Output/bias", "b4.out.bias", same),
    ("LabelEmbed/weight", "mapping.embed.weight", dense),
    ("LabelEmbed/bias", "mapping.embed.bias", same),
    (r"Mapping(\d+)/weight", "mapping.fc{}.weight", dense),
    (r"Mapping(\d+)/bias", "mapping.fc{}.bias", same),
]


def arguments(static: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Return the PyTorch code's constructor arguments for the TensorFlow code's of a network.

    Args:
        static: its static arguments.
        kind: "generator" or "discriminator".
    """
    size = int(static["resolution"])
    sizes = {
        "channel_base": 2 * int(static.get("fmap_base", 16384)),
        "channel_max": int(static.get("fmap_max", 512)),
        "num_fp16_res": 0,
        "conv_clamp": static.get("conv_clamp"),
    }
    filters = static.get("resample_kernel", [1, 3, 3, 1])
    activation = static.get("nonlinearity", "lrelu")
    common = {"c_dim": int(static.get("label_size", 0)), "img_resolution": size}
    common["img_channels"] = int(static.get("num_channels", 1 if kind == "generator" else 3))
    if kind == "generator":
        return {
            **common,
            "z_dim": int(static.get("latent_size", 512)),
            "w_dim": int(static.get("dlatent_size", 512)),
            "mapping_kwargs": {
                "num_layers": int(static.get("mapping_layers", 8)),
                "lr_multiplier": static.get("mapping_lrmul", 0.01),
                "activation": static.get("mapping_nonlinearity", "lrelu"),
            },
            "synthesis_kwargs": {
                **sizes,
                "architecture": static.get("architecture", "skip"),
                "resample_filter": filters,
                "use_noise": static.get("use_noise", True),
                "activation": activation,
            },
        }
    return {
        **common,
        **sizes,
        "architecture": static.get("architecture", "resnet"),
        "mapping_kwargs": {
            "num_layers": int(static.get("mapping_layers", 0)),
            "lr_multiplier": static.get("mapping_lrmul", 0.1),
        },
        "block_kwargs": {"activation": activation, "resample_filter": filters},
        "epilogue_kwargs": {
            "mbstd_group_size": static.get("mbstd_group_size", 4),
            "mbstd_num_channels": static.get("mbstd_num_features", 1),
        },
    }
