"""The fields of every classifier experiment, with the values that hold unless an experiment says otherwise."""

import ml_collections

from configs.defaults import experiment

finish = experiment.finish

# Every field there is, so that each can be overridden from the command line; fergen.augment.pipeline.Settings says what
# they mean.
AUGMENT = (
    *("flip", "rotate", "scale", "aspect", "shear", "translate", "affine_probability", "crop", "crop_padding"),
    *("padding", "fill", "brightness", "contrast", "gamma", "saturation", "noise", "erase", "erase_area"),
    *("mixup", "cutmix", "mix_probability"),
)


def config() -> ml_collections.ConfigDict:
    """Return the defaults."""
    c = experiment.config("classifier")
    c.augment = ml_collections.ConfigDict(dict.fromkeys(AUGMENT))  # None is off
    c.loss.label_smoothing = 0.0
    c.loss.class_weights = "none"  # or balanced: n / (k n_c)
    c.sam = 0.0  # radius of sharpness-aware minimisation; 0 for none
    return c
