"""The fields of every CVAE experiment, with the values that hold unless an experiment says otherwise."""

import ml_collections

from configs.defaults import experiment

finish = experiment.finish


def config() -> ml_collections.ConfigDict:
    """Return the defaults: sized for two CPU cores and 48x48 pixels."""
    c = experiment.config("cvae")
    c.model.name = "cvae"
    c.model.latent = 128
    c.model.widths = (32, 64, 128)  # channels at a half, a quarter and an eighth of the resolution
    c.model.depths = (1, 1, 1)  # residual blocks at each
    c.model.neck = 0  # channels between them and the latents; 0 for the last width itself
    c.model.prior = 512  # width of the learned prior; 0 for the standard normal

    # How latents of a class are drawn from the learned prior.
    c.sampler = ml_collections.ConfigDict()
    c.sampler.guidance = 2.0  # towards the label and away from none; 1 for the label as learned
    c.sampler.truncation = 0.8  # of the noise: 1 for all of it

    c.loss.reconstruction = "l2"  # or l1, or charbonnier; in nats per image, a sum over pixels and channels
    c.loss.scale = 0.0  # of the pixels' noise, in [-1, 1]'s units; 0 for the one of greatest likelihood
    c.loss.beta = 1.0  # weight of the divergence (Higgins et al. 2017, beta-VAE)
    c.loss.warmup = 500  # steps over which it rises
    c.loss.free_bits = 0.0  # nats per latent entry that cost nothing
    c.loss.unlabelled = 0.1  # chance that a label is kept from the prior, which guidance needs

    # Boxes of a face in its frame (top, left, bottom, right in [0, 1]), measured on the mean face of FER2013. Errors
    # are reported by region; a weight above 1 makes its pixels count that much more in the reconstruction.
    c.loss.regions = ml_collections.ConfigDict()
    c.loss.regions.eyes = ml_collections.ConfigDict({"box": (0.22, 0.14, 0.48, 0.86), "weight": 1.0})
    c.loss.regions.mouth = ml_collections.ConfigDict({"box": (0.64, 0.25, 0.92, 0.75), "weight": 1.0})

    # The second stage of the training, that of perceptual network and guide: the first goes without.
    c.perceptual = ml_collections.ConfigDict()
    c.perceptual.share = 0.4  # of the steps, the last
    c.perceptual.reference = ""  # weights of a frozen classifier in whose feature maps ...
    c.perceptual.features = 0.0  # ... reconstructions are to be near: 1 makes that count as much as pixels do
    c.perceptual.style = 0.0  # the same of textures, wherever they are
    c.perceptual.moments = 0.0  # the same of samples and real faces as sets
    c.perceptual.layers = ("stage1", "stage2", "stage3")  # of VGG: relu1_2, relu2_2, relu3_3, relu4_3

    c.guide = ml_collections.ConfigDict()
    c.guide.reference = ""  # weights of a frozen classifier that ...
    c.guide.weight = 0.0  # ... samples are to convince of their labels, in nats
    c.samples = 4  # guide and moments see one sample for so many faces of a batch

    c.augment.mirror = 0.5  # chance that an image is mirrored

    c.optim.update(name="muon", lr=4e-3, b2=0.99)
    c.optim.schedule.update(name="cosine", warmup=0.02, final=0.01)
    c.ema = 0.998
    c.epochs = 15.0
    return c


def lite0(c: ml_collections.ConfigDict) -> None:
    """Take EfficientNet-Lite0 as the perceptual network, whose weights come with the package."""
    c.perceptual.update(reference="lite0@48", features=0.5, style=0.2, moments=0.1)
    c.batch_size = 64
