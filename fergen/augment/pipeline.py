"""The augmentation of a training step, from a config.

A config names what it wants and how strongly; what it does not name is off, and no code is compiled for it.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
from jaxtyping import Array, Float, Key

from fergen.augment import colour, erase, geometry, mix
from fergen.core import fields
from fergen.core.errors import BadInput
from fergen.core.keys import named

Augment = Callable[[jax.Array, jax.Array, jax.Array], tuple[jax.Array, jax.Array]]


@dataclasses.dataclass(frozen=True)
class Settings:
    """Fields of an augmentation config. Zero, False or absence turns a field off.

    Attributes:
      flip: probability of a left-right mirror image; True means 0.5.
      rotate: largest rotation to either side, in degrees.
      scale: least and greatest magnification, drawn log-uniformly; a config may give one number s for (1 - s, 1 + s).
      aspect: largest relative change of width against height.
      shear: largest horizontal shear to either side, in degrees.
      translate: largest shift to either side, as a fraction of the side.
      affine_probability: chance that an image gets any of the five above.
      crop: side in pixels of a randomly placed square window; the images leave with this size.
      crop_padding: pixels the frame is widened by before that window is placed (also without `crop`, where the window
        has the size of the image).
      padding: what lies outside the frame: "constant", "edge" or "reflect".
      fill: value outside the frame for padding "constant", in [-1, 1]; -1 is black.
      brightness: largest shift to either side, as a fraction of the range from black to white.
      contrast: factor about the image's mean from 1 - contrast to 1 + contrast.
      gamma: exponent of the light from 1 / (1 + gamma) to 1 + gamma.
      saturation: factor about the gray of each pixel; colour images only.
      noise: greatest standard deviation of pixel noise, as a fraction of the range.
      erase: probability that a rectangle of an image is covered by one random colour.
      erase_area: least and greatest part of the image that is covered.
      mixup: alpha of mixup's Beta distribution.
      cutmix: alpha of cutmix's Beta distribution; with both, each batch takes one of the two at random.
      mix_probability: chance that an image is mixed.
    """

    flip: float = 0.0
    rotate: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    aspect: float = 0.0
    shear: float = 0.0
    translate: float = 0.0
    affine_probability: float = 1.0
    crop: int = 0
    crop_padding: int = 0
    padding: str = "edge"
    fill: float = -1.0
    brightness: float = 0.0
    contrast: float = 0.0
    gamma: float = 0.0
    saturation: float = 0.0
    noise: float = 0.0
    erase: float = 0.0
    erase_area: tuple[float, float] = (0.02, 0.33)
    mixup: float = 0.0
    cutmix: float = 0.0
    mix_probability: float = 1.0


# Greatest value that each numeric field may have; the least is 0, and -1 for fill.
_GREATEST = {
    "flip": 1.0,
    "rotate": 180.0,
    "aspect": 4.0,
    "shear": 60.0,
    "translate": 1.0,
    "affine_probability": 1.0,
    "crop": 8192,
    "crop_padding": 8192,
    "fill": 1.0,
    "brightness": 1.0,
    "contrast": 1.0,
    "gamma": 10.0,
    "saturation": 1.0,
    "noise": 1.0,
    "erase": 1.0,
    "mixup": 100.0,
    "cutmix": 100.0,
    "mix_probability": 1.0,
}
_WHOLE = ("crop", "crop_padding")
_PAIRS = {"scale": (0.05, 20.0), "erase_area": (0.0, 1.0)}


def build(config: Mapping[str, Any] | None) -> Augment:
    """Build the augmentation of a training step.

    Args:
      config: a mapping of fields of `Settings`; None or an empty mapping gives the identity.

    Returns:
      augment(key, images, labels) -> (images, labels), to be called inside jit: float32 images [b, h, w, c] in
      [-1, 1] and label distributions [b, n]. Each image draws its own parameters; a field that is turned on or off
      leaves the random draws of the others alone.

    Raises:
      BadInput: a field is unknown, has the wrong type or is out of range.
    """
    settings = read(config)
    moves = settings.scale != (1.0, 1.0) or any(
        (
            settings.flip,
            settings.rotate,
            settings.aspect,
            settings.shear,
            settings.translate,
            settings.crop,
            settings.crop_padding,
        )
    )
    colours = any((settings.brightness, settings.contrast, settings.gamma, settings.saturation))

    def augment(
        key: Key[Array, ""], images: Float[Array, "b h w c"], labels: Float[Array, "b n"]
    ) -> tuple[Float[Array, "b h2 w2 c"], Float[Array, "b n"]]:
        if moves:
            images = geometry.random_affine(
                named(key, "geometry"),
                images,
                flip=settings.flip,
                rotate=settings.rotate,
                scale=settings.scale,
                aspect=settings.aspect,
                shear=settings.shear,
                translate=settings.translate,
                crop=settings.crop,
                crop_padding=settings.crop_padding,
                probability=settings.affine_probability,
                padding=settings.padding,
                fill=settings.fill,
            )
        if colours:
            images = colour.random_colour(
                named(key, "colour"),
                images,
                brightness=settings.brightness,
                contrast=settings.contrast,
                gamma=settings.gamma,
                saturation=settings.saturation,
            )
        if settings.noise:
            images = colour.random_noise(named(key, "noise"), images, deviation=settings.noise)
        if settings.erase:
            images = erase.random_erase(
                named(key, "erase"), images, probability=settings.erase, area=settings.erase_area
            )
        if settings.mixup or settings.cutmix:
            images, labels = mix.mix(
                named(key, "mix"),
                images,
                labels,
                mixup_alpha=settings.mixup,
                cutmix_alpha=settings.cutmix,
                probability=settings.mix_probability,
            )
        return images, labels

    return augment


def read(config: Mapping[str, Any] | None) -> Settings:
    """Check a config and fill in defaults.

    Args:
      config: a mapping of fields of `Settings`, or None.

    Returns:
      Settings in which `flip` is a probability and `scale` a pair.

    Raises:
      BadInput: a field is unknown, has the wrong type or is out of range.
    """
    if config is not None and not hasattr(config, "items"):
        raise BadInput(f"augment: expected fields, found {config!r}")
    known = [field.name for field in dataclasses.fields(Settings)]
    values: dict[str, Any] = {}
    for name, value in config.items() if config is not None else ():
        if name not in known:
            raise BadInput(f"augment.{name}: unknown field; the fields are {', '.join(known)}")
        if value is not None:
            values[name] = 0 if value is False else value
    if values.get("flip") is True:
        values["flip"] = 0.5
    scale = values.get("scale", 0)
    if not isinstance(scale, tuple | list):
        scale = fields.number("augment.scale", scale, 0, 0.95)
        values["scale"] = (1.0 - scale, 1.0 + scale)
    for name in ("scale", "erase_area"):
        if name in values:
            values[name] = _pair(name, values[name], *_PAIRS[name])
    for name, greatest in _GREATEST.items():
        if name in values:
            check = fields.whole if name in _WHOLE else fields.number
            values[name] = check(f"augment.{name}", values[name], -1 if name == "fill" else 0, greatest)
    settings = Settings(**values)
    if settings.padding not in geometry.PADDINGS:
        raise BadInput(f"augment.padding: expected one of {', '.join(geometry.PADDINGS)}, found {settings.padding!r}")
    return settings


def _pair(name: str, value: Any, least: float, greatest: float) -> tuple[float, float]:
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise BadInput(f"augment.{name}: expected a pair (least, greatest), found {value!r}")
    first, second = (fields.number(f"augment.{name}", part, least, greatest) for part in value)
    if first > second:
        raise BadInput(f"augment.{name}: expected the least value first, found {tuple(value)!r}")
    return first, second
