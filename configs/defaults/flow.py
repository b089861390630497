"""The fields of every flow-matching experiment, with the values that hold unless an experiment says otherwise."""

import ml_collections

from configs.defaults import experiment


def config() -> ml_collections.ConfigDict:
    """Return the defaults: sized for one large GPU and 48x48 pixels."""
    c = experiment.config("flow")
    c.model.name = "unet"
    c.model.patch = 1  # side of the squares of pixels that enter as channels
    c.model.widths = (64, 128, 192, 256)  # channels at the full resolution, a half, ...
    c.model.depths = (1, 2, 2, 2)  # residual blocks at each, on the way down and again on the way up
    c.model.attention = (2, 3)  # the levels that have it, counted from 0
    c.model.head = 64  # channels of an attention head
    c.model.embedding = 256  # of time, label and augmentation
    c.model.dropout = 0.1

    c.sampler = ml_collections.ConfigDict()
    c.sampler.name = "heun"  # or euler
    c.sampler.steps = 20
    c.sampler.guidance = 1.5  # towards the label and away from none; 1 for the label as learned, at half of the cost
    c.sampler.interval = (0.0, 1.0)  # of time, in which guidance acts
    c.sampler.shift = 1.0  # above 1 the steps are shorter near the noise, below 1 near the data

    # What Karras et al. 2022 choose for the times of diffusion models, in our terms: fergen.losses.flow.times.
    c.loss.time_mean = 0.5
    c.loss.time_std = 1.2
    c.loss.unlabelled = 0.1  # chance that a label is kept from the network, which guidance needs

    c.guide = ml_collections.ConfigDict()
    c.guide.reference = ""  # weights of a frozen classifier that ...
    c.guide.weight = 0.0  # ... the faces at the ends of the paths are to convince of their labels

    # Mirror images may be samples. Of the other changes the network is told, so that samples are without.
    c.augment.mirror = 0.5
    c.augment.p = 0.0  # chance of each operation
    c.augment.ada = experiment.ada()

    c.optim.update(name="adam", lr=1e-3, b2=0.99, clip_norm=1.0)
    c.optim.schedule.update(name="cosine", warmup=0.02, final=0.01)
    c.ema = 0.999
    return c


def small(c: ml_collections.ConfigDict) -> None:
    """Make the network one for two CPU cores: 24, 12 and 6 pixels, attention at 6, single precision."""
    c.model.update(patch=2, widths=(32, 64, 128), depths=(1, 1, 2), attention=(2,), head=32, embedding=128, dropout=0.0)
    # Short steps near the noise, where the face is decided. Guidance in the middle of the way alone, where the
    # expression is: it may be strong there, and leaves the faces as different as they are.
    c.sampler.update(name="euler", steps=16, shift=4.0, guidance=8.0, interval=(0.3, 0.7))
    c.optim.update(name="muon", lr=8e-3)
    c.batch_size = 32


def finish(c: ml_collections.ConfigDict, arg: str) -> ml_collections.ConfigDict:
    """Return the config as `arg` asks for it: whole for '', or 'smoke', as of every experiment and with short sampling.

    Raises:
        ValueError: another argument.
    """
    c = experiment.finish(c, arg)
    if arg == "smoke":
        c.sampler.steps = 2  # the pictures along training would take most of the time
    return c
