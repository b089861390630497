"""The fields of every experiment, whatever it trains, with the values that hold unless an experiment says otherwise."""

import ml_collections

# fergen.optim.build and fergen.optim.schedules say what they mean.
OPTIM = (
    *("name", "lr", "momentum", "nesterov", "b1", "b2", "eps", "weight_decay", "clip_norm", "accumulate"),
    *("freeze", "lr_multipliers"),
)
SCHEDULE = ("name", "warmup", "final", "at", "factor", "start")
# fergen.augment.ada_settings.Settings says what they mean: chances of operations as multiples of the strength, then by
# how much they change an image.
ADA = (
    *("xflip", "rotate90", "xint", "scale", "rotate", "aniso", "xfrac", "brightness", "contrast", "lumaflip", "hue"),
    *("saturation", "imgfilter", "noise", "cutout", "xint_max", "scale_std", "rotate_max", "aniso_std", "xfrac_std"),
    *("brightness_std", "contrast_std", "hue_max", "saturation_std", "imgfilter_bands", "imgfilter_std", "noise_std"),
    "cutout_size",
)


def config(task: str) -> ml_collections.ConfigDict:
    """Return the defaults of a task's experiments."""
    c = ml_collections.ConfigDict()
    c.task = task
    c.seed = 0
    c.rng = "threefry2x32"  # jax's default generator: the same numbers on every platform and mesh
    c.precision = "float32"  # compute; parameters are float32 always
    c.init_from = ""  # weights to start from: a run, a shipped name, a .safetensors file

    c.data = ml_collections.ConfigDict()
    c.data.name = "fer2013"  # a prepared set, by name or folder
    c.data.split = "train"  # or train+validation, for a final run that chooses nothing
    c.data.vocabulary = ""  # five, seven or eight: map the labels, dropping what the map lacks
    c.data.labels = "own"  # or ferplus (the votes' majority), ferplus_soft (their distribution)
    c.data.balance = False  # draw classes with equal probability
    c.data.stream = False  # read from disk by grain rather than hold the set on the device
    c.data.leave_out = ""  # "2/5": the second of five parts of the training rows, cut by their pixels
    c.data.relabel = ""  # a CSV file of id,label: labels that replace training rows' own
    c.data.share = 1.0  # of the training rows, the same of every class; 0 for those of data.add alone
    c.data.add = ()  # prepared sets whose rows are trained on as well, "made" or "made*5000" for 5,000 of them

    c.model = ml_collections.ConfigDict()
    c.augment = ml_collections.ConfigDict()
    c.loss = ml_collections.ConfigDict()
    c.optim = optim()
    c.ema = 0.0  # decay of the moving average of weights; 0 for none

    # Differentially private training, of classifiers and CVAEs: fergen.tasks.private says what it covers. Off unless
    # one of the first two is above 0.
    c.privacy = ml_collections.ConfigDict()
    c.privacy.epsilon = 0.0  # of the whole run: the noise that gives it is found
    c.privacy.noise_multiplier = 0.0  # or the noise, as a multiple of clip_norm
    c.privacy.clip_norm = 1.0  # greatest norm of an example's gradient
    c.privacy.delta = 0.0  # 0 for n^-1.1, n training rows
    c.privacy.microbatch = 0  # examples whose gradients are held at once; 0 for all of a batch

    c.epochs = 30.0
    c.steps = 0  # optimiser steps in place of epochs; 0 for epochs
    c.batch_size = 128
    c.scan = 10  # steps per dispatch
    c.log_every = 100
    c.eval_every = 1000
    c.save_every = 1000
    c.keep = 2  # newest checkpoints to keep, beside the best on validation
    c.tensorboard = True
    return c


def optim() -> ml_collections.ConfigDict:
    """Return an optimiser's fields: None is its own default; fields that it does not have must stay None."""
    fields = ml_collections.ConfigDict(dict.fromkeys(OPTIM))
    fields.schedule = ml_collections.ConfigDict(dict.fromkeys(SCHEDULE))
    fields.schedule.name = "constant"
    return fields


def ada(preset: str | None = None) -> ml_collections.ConfigDict:
    """Return the fields of adaptive augmentation: every one, so that each can be overridden; None is off."""
    return ml_collections.ConfigDict({"preset": preset, **dict.fromkeys(ADA)})


def finish(c: ml_collections.ConfigDict, arg: str) -> ml_collections.ConfigDict:
    """Return the config as `arg` asks for it: whole for '', or 'smoke'.

    'smoke' keeps model, optimiser and augmentation, and takes a few procedural faces, four steps and two checkpoints.

    Raises:
        ValueError: another argument.
    """
    if arg not in ("", "smoke"):
        raise ValueError(f"expected no argument or ':smoke', found ':{arg}'")
    if arg == "smoke":
        color = c.data.name in ("affectnet", "rafdb")
        c.data.name = "procedural_n400_64_rgb" if color else "procedural_n400"
        if c.data.vocabulary != "five":
            c.data.vocabulary = ""
        c.data.labels = "own"
        c.batch_size = 8
        c.epochs = 0.1  # of 320 faces: 4 steps
        c.scan = c.log_every = 1
        c.eval_every = c.save_every = 2
    return c
