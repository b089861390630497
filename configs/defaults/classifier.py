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
    c.teachers = ml_collections.ConfigDict()
    c.teachers.references = ()  # weights of frozen classifiers whose mean answer ...
    c.teachers.weight = 0.7  # ... is so much of what is learned, labels the rest
    c.sam = 0.0  # radius of sharpness-aware minimisation; 0 for none
    return c


def private(c: ml_collections.ConfigDict) -> None:
    """Train privately, to epsilon 8, a network without batch statistics.

    Images are not augmented at random: under noise a network has no rows to learn by heart.
    """
    c.privacy.epsilon = 8.0
    c.model.update(name="fernet", widths=(16, 32, 64), depths=(1, 1, 1), dropout=0.0, norm="group")
    c.optim.update(name="adam", lr=2e-3)
    c.ema = 0.99
    c.batch_size = 256
    c.eval_every = c.save_every = 100
    c.log_every = 20
