"""The fields of every StyleGAN2-ADA experiment, and the official presets of Karras et al. 2020 (arXiv:2006.06676)."""

import ml_collections

from configs.defaults import experiment

finish = experiment.finish

# Preset -> thousands of images, batch, images per group of the spread, channels at 1 pixel, learning rate, gamma, half
# life of the average in thousands of images, its bound as a share of the images so far, layers of the mapping.
PRESETS = {
    "stylegan2": (25000, 32, 4, 32768, 0.002, 10.0, 10, 0, 8),
    "paper256": (25000, 64, 8, 16384, 0.0025, 1.0, 20, 0, 8),
    "paper512": (25000, 64, 8, 32768, 0.0025, 0.5, 20, 0, 8),
    "paper1024": (25000, 32, 4, 32768, 0.002, 2.0, 10, 0, 8),
    "cifar": (100000, 64, 32, 32768, 0.0025, 0.01, 500, 0.05, 2),
}


def config(preset: str = "auto", *, images: int, resolution: int = 64, gpus: int = 1) -> ml_collections.ConfigDict:
    """Return the defaults: those of an official preset.

    Args:
        preset: "auto", or one of `PRESETS`.
        images: of the training set, which the epochs are counted by.
        resolution: of the images, which "auto" goes by.
        gpus: whose number "auto" goes by.
    """
    if preset == "auto":
        batch = max(min(gpus * min(4096 // resolution, 32), 64), gpus)
        group, base = min(batch // gpus, 4), 16384 if resolution < 512 else 32768
        rate, gamma = 0.002 if resolution >= 1024 else 0.0025, 0.0002 * resolution**2 / batch
        chosen = (25000, batch, group, base, rate, gamma, batch * 10 / 32, 0.05, 2)
    else:
        chosen = PRESETS[preset]
    kimg, batch, group, base, rate, gamma, average, ramp, mapping = chosen

    c = experiment.config("stylegan2")
    c.conditional = True  # on the label
    c.resolution = 0  # images are brought to; 0 for the data's own
    c.model.name = "stylegan2"
    c.model.z_dim = 512  # entries of latents
    c.model.w_dim = 512  # entries of styles
    c.model.mapping_layers = mapping  # layers from latents to styles
    c.model.mapping_lr = 0.01  # multiplier of their learning rate
    c.model.label_layers = 8  # layers from a label to what the discriminator compares with
    c.model.channel_base = base  # channels times resolution ...
    c.model.channel_max = 512  # ... up to so many
    c.model.synthesis = "skip"  # or orig, resnet
    c.model.discriminator = "orig" if preset == "cifar" else "resnet"  # or skip
    c.model.resample_filter = (1, 3, 3, 1)  # of the filter by which resolutions change
    c.model.noise = True  # added by layers of the synthesis network
    c.model.conv_clamp = 256.0  # bound of activations
    c.model.num_fp16_res = 4  # so many blocks of the highest resolutions compute in `precision`
    c.model.mbstd_group_size = group  # images whose spread the discriminator sees

    c.sampler = ml_collections.ConfigDict()
    c.sampler.truncation = 1.0  # styles move towards a mean: 1 for not at all
    c.sampler.cutoff = 0  # layers that it acts on; 0 for all
    c.sampler.centre = "class"  # the mean of the label's faces; or all
    c.sampler.noise = "const"  # or none

    c.loss.r1 = gamma  # gamma of the penalty on the slope at real images; 0 for none
    c.loss.r1_interval = 16  # steps between penalties, each as many times as strong
    c.loss.pl = 0.0 if preset == "cifar" else 2.0  # weight of the path length regulariser; 0 for none
    c.loss.pl_interval = 4  # likewise
    c.loss.pl_decay = 0.01  # how far the mean path length moves towards a batch's
    c.loss.pl_shrink = 2  # path lengths are of so many times fewer images
    c.loss.mixing = 0.0 if preset == "cifar" else 0.9  # chance that styles are mixed

    c.fake_labels = "prior"  # labels of fakes: drawn as the data has them; or balanced
    c.augment.mirror = 0.5  # chance that a real image is mirrored
    # Of all that the discriminator sees: none, blit, geom, color, bg, bgc, ... and single operations.
    c.augment.ada = experiment.ada(preset="bgc")
    c.augment.control = ml_collections.ConfigDict()
    c.augment.control.p = 0.0  # where its strength starts, and stays unless adaptive
    c.augment.control.adaptive = True
    c.augment.control.target = 0.6  # mean sign of the discriminator's logits of real images, 1 when it overfits
    c.augment.control.kimg = 500.0  # thousands of images in which the strength may go from 0 to 1
    c.augment.control.interval = 4  # steps between changes
    c.augment.control.cap = 0.8  # operations leak into generated images above

    c.guide = ml_collections.ConfigDict()
    c.guide.reference = ""  # weights of a frozen classifier that ...
    c.guide.weight = 0.0  # ... generated images are to convince of their labels

    c.optim.update(name="adam", lr=rate, b1=0.0, b2=0.99, eps=1e-8)
    c.average = ml_collections.ConfigDict()
    c.average.kimg = float(average)  # thousands of images over which the generator's average halves what is past ...
    c.average.ramp = float(ramp)  # ... and early in a run this share of the images so far; 0 for no such bound
    c.freeze_d = 0  # layers of the discriminator, from the highest resolution on, that a transfer leaves as they are
    c.rounds = 1  # parts that a batch is computed in, for devices with little memory
    c.batch_size = batch
    c.epochs = 1000 * kimg / images
    return c


def faces(c: ml_collections.ConfigDict) -> None:
    """Take what suits faces: no quarter turns, which leak first, and half precision of more range than float16."""
    c.augment.ada.rotate90 = 0.0
    c.precision = "bfloat16"


def small(c: ml_collections.ConfigDict) -> None:
    """Make the networks ones for two CPU cores, in single precision."""
    c.model.update(
        z_dim=64, w_dim=64, mapping_layers=2, label_layers=2, channel_base=1024, channel_max=64, num_fp16_res=0
    )
    c.precision = "float32"
    c.data.balance = True
    c.fake_labels = "balanced"
    c.optim.lr = 0.0025
    c.average.kimg = 5.0
    c.batch_size = 32
    c.epochs = 5.0
