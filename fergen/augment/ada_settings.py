"""Settings of the StyleGAN2-ADA pipeline: which operations, how often, how strong; and the paper's presets.

Reference: Karras et al., Training Generative Adversarial Networks with Limited Data, 2020, appendix B.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from fergen.core import fields
from fergen.core.errors import BadInput


@dataclasses.dataclass(frozen=True)
class Settings:
    """Multipliers of p, one for each operation, and how strong the operations are.

    A multiplier of 0 leaves an operation out, also of the compiled program; the chance of an operation is
    min(multiplier * p, 1). N is a standard normal number and U a uniform one in [0, 1).

    Attributes:
      xflip: mirror image, one half of the time that it is reached.
      rotate90: a quarter turn, none to three, equally likely.
      xint: shift by whole pixels.
      scale: the same scale for both axes, 2^(scale_std N).
      rotate: rotation, which happens before and after `aniso` with chances that make up this one together.
      aniso: scale of the width by 2^(aniso_std N) and of the height by its inverse.
      xfrac: shift by a normal fraction of the side.
      brightness: brightness_std N is added.
      contrast: values are multiplied by 2^(contrast_std N).
      lumaflip: the lightness changes its sign, one half of the time that it is reached, and the colour stays.
      hue: rotation about the axis of grays.
      saturation: distances from the axis of grays are multiplied by 2^(saturation_std N).
      imgfilter: four bands of frequency are amplified by 2^(imgfilter_std N), each with a gate of its own.
      noise: Gaussian noise of standard deviation noise_std |N| is added.
      cutout: a rectangle becomes 0.
      xint_max: largest shift to either side, as a fraction of the side.
      scale_std: of the binary logarithm of the scale.
      rotate_max: largest rotation to either side, as a fraction of half a turn.
      aniso_std: of the binary logarithm of the scale of the width.
      xfrac_std: as a fraction of the side.
      brightness_std: in units of the images, of which black and white are 2 apart.
      contrast_std: of the binary logarithm of the factor.
      hue_max: largest rotation to either side, as a fraction of half a turn.
      saturation_std: of the binary logarithm of the factor.
      imgfilter_bands: multipliers of the four bands, from low to high.
      imgfilter_std: of the binary logarithm of a band's gain.
      noise_std: of the standard deviation of the noise, in units of the images.
      cutout_size: sides of the rectangle as a fraction of those of the image.
    """

    xflip: float = 0.0
    rotate90: float = 0.0
    xint: float = 0.0
    scale: float = 0.0
    rotate: float = 0.0
    aniso: float = 0.0
    xfrac: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    lumaflip: float = 0.0
    hue: float = 0.0
    saturation: float = 0.0
    imgfilter: float = 0.0
    noise: float = 0.0
    cutout: float = 0.0
    xint_max: float = 0.125
    scale_std: float = 0.2
    rotate_max: float = 1.0
    aniso_std: float = 0.2
    xfrac_std: float = 0.125
    brightness_std: float = 0.2
    contrast_std: float = 0.5
    hue_max: float = 1.0
    saturation_std: float = 1.0
    imgfilter_bands: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    imgfilter_std: float = 1.0
    noise_std: float = 0.1
    cutout_size: float = 0.5


_PARTS = {
    "blit": ("xflip", "rotate90", "xint"),
    "geom": ("scale", "rotate", "aniso", "xfrac"),
    "color": ("brightness", "contrast", "lumaflip", "hue", "saturation"),
    "filter": ("imgfilter",),
    "noise": ("noise",),
    "cutout": ("cutout",),
}
_PRESETS: dict[str, tuple[str, ...]] = {"none": (), **{part: (part,) for part in _PARTS}}
_PRESETS |= {"bgcfnc"[:n]: tuple(_PARTS)[:n] for n in range(2, 7)}
# Multipliers of 1 by name: the parts, and "bg", "bgc", "bgcf", "bgcfn", "bgcfnc" by the parts' first letters.
PRESETS = {name: {op: 1.0 for part in parts for op in _PARTS[part]} for name, parts in _PRESETS.items()}


def read(config: Mapping[str, Any] | None) -> Settings:
    """Check a config and fill in defaults.

    Args:
      config: a mapping of `preset`, one of PRESETS ("none" if absent), and of fields of `Settings` that replace the
        preset's; None as a value keeps what is there, False is 0 and True is 1. None is an empty mapping.

    Returns:
      The settings.

    Raises:
      BadInput: the preset or a field is unknown, has the wrong type or is out of range.
    """
    if config is not None and not hasattr(config, "items"):
        raise BadInput(f"ada: expected fields, found {config!r}")
    given = {name: value for name, value in (config.items() if config is not None else ()) if value is not None}
    preset = given.pop("preset", "none")
    if not isinstance(preset, str) or preset not in PRESETS:
        raise BadInput(f"ada.preset: expected one of {', '.join(PRESETS)}, found {preset!r}")
    known = dataclasses.asdict(Settings())
    values: dict[str, Any] = dict(PRESETS[preset])
    for name, value in given.items():
        if name not in known:
            raise BadInput(f"ada.{name}: unknown field; the fields are preset, {', '.join(known)}")
        if isinstance(known[name], tuple):
            if not isinstance(value, tuple | list) or len(value) != len(known[name]):
                raise BadInput(f"ada.{name}: expected {len(known[name])} numbers, found {value!r}")
            values[name] = tuple(fields.number(f"ada.{name}", part) for part in value)
        else:
            greatest = 1.0 if name.endswith(("_max", "_size")) else math.inf
            values[name] = fields.number(f"ada.{name}", float(value) if isinstance(value, bool) else value, 0, greatest)
    return Settings(**values)
