"""The fields of every GAN experiment, with the values that hold unless an experiment says otherwise."""

import ml_collections

from configs.defaults import experiment

finish = experiment.finish


def config(model: str = "vae_gan") -> ml_collections.ConfigDict:
    """Return the defaults: sized for two CPU cores and 48x48 pixels.

    Args:
        model: vae_gan, whose generator begins as a decoder and whose critic sees feature maps beside pixels; or dcgan,
            transposed convolutions against convolutions from the first step on.
    """
    c = experiment.config("gan")
    c.data.only = ""  # a class, to train on its faces alone
    c.model.name = model
    c.model.conditioning = "projection"  # none, concat, projection, auxiliary or reacgan
    c.model.spectral_norm = False  # in the critic

    c.loss.kind = "logistic"  # or hinge, or relativistic (with r1 and r2)
    c.loss.smoothing = 0.0  # one-sided: real images count as real with probability 1 - smoothing
    c.loss.r1 = 0.5  # gamma of the penalty on real images; 0 for none
    c.loss.r2 = 0.0  # the same on fakes
    c.loss.interval = 1  # steps between penalties, each as many times as strong
    c.loss.mismatch = 0.0  # projection: weight of real images under wrong labels as a second kind of fakes
    c.loss.classes = 1.0  # auxiliary, reacgan: weight of the critic's and the generator's classification
    c.loss.temperature = 0.5  # reacgan
    c.loss.positive_margin = 0.98  # reacgan: cosine to the proxy of the class from which on an image is left alone
    c.loss.negative_margin = 0.02  # reacgan: cosine to an image of another class up to which both are left alone
    c.fake_labels = "batch"  # labels of fakes: those of the real images; or drawn: prior, balanced

    c.guide = ml_collections.ConfigDict()
    c.guide.reference = ""  # weights of a frozen classifier that ...
    c.guide.weight = 0.0  # ... generated images are to convince of their labels

    c.augment.mirror = 0.5  # chance that a real image is mirrored
    # Of all that the critic sees, real or generated: none, blit, geom, color, bg, bgc, ... and single operations.
    c.augment.ada = experiment.ada(preset="none")
    c.augment.control = ml_collections.ConfigDict()
    c.augment.control.p = 0.0  # where its strength starts, and stays unless adaptive
    c.augment.control.adaptive = True
    c.augment.control.target = 0.6  # mean sign of the critic's logits of real images, 1 when it overfits
    c.augment.control.kimg = 500.0  # thousands of images in which the strength may go from 0 to 1
    c.augment.control.interval = 4  # steps between changes
    c.augment.control.cap = 0.8  # operations leak into generated images above

    # Both nets; the averages of gradients forget fast, for the other net moves (Karras et al. 2019, appendix C).
    c.optim.update(name="adam", lr=2e-4, b1=0.0, b2=0.99)
    c.optim.schedule.update(name="cosine", warmup=0.01, final=0.1)
    c.critic_rate = 2.0  # the critic's learning rate as a multiple of the generator's (TTUR)
    c.ema = 0.997
    c.batch_size = 32
    c.epochs = 10.0
    {"vae_gan": vae_gan, "dcgan": dcgan}[model](c)
    return c


def dcgan(c: ml_collections.ConfigDict) -> None:
    """Set model and start of a GAN that begins as noise, and what else goes with it."""
    c.model.latent = 64
    c.model.grain = True  # a latent entry per pixel besides
    c.model.embedding = 64  # of a label, beside the latent
    c.model.width = 32  # channels at half of the resolution, doubled with each halving ...
    c.model.widest = 256  # ... up to these
    c.loss.r1, c.loss.interval = 1.0, 8
    c.optim.lr, c.critic_rate = 4e-4, 1.0
    c.ema = 0.998
    c.batch_size = 64
    set_start(c, 0.0)
    set_maps(c, "")


def vae_gan(c: ml_collections.ConfigDict) -> None:
    """Set model and start of a GAN whose generator begins as a decoder, and what else goes with it."""
    c.model.latent = 128
    c.model.widths = (32, 64, 128)  # of encoder and decoder: channels at a half, a quarter and an eighth
    c.model.depths = (1, 1, 1)  # residual blocks at each
    c.model.neck = 0  # channels between them and the latents; 0 for the last width itself
    c.model.prior = 256  # width of the learned prior
    c.model.width = 16  # of the critic: channels at half of the resolution, doubled with each halving ...
    c.model.widest = 128  # ... up to these, and features of each of its inputs
    set_start(c, 0.35)
    set_maps(c, "lite0@48")


def set_start(c: ml_collections.ConfigDict, share: float) -> None:
    """Set the group `start`."""
    c.start = ml_collections.ConfigDict()
    # Of the steps: in these the generator learns as the decoder of an autoencoder; 0 where init_from gives it weights.
    c.start.share = share
    c.start.beta = 1.0  # weight of the divergence: above 1 fewer details in the latents, and fewer holes between them
    c.start.warmup = 500  # steps over which it comes to weigh
    c.start.optim = experiment.optim()
    c.start.optim.update(name="muon", lr=4e-3, b2=0.99)
    c.start.optim.schedule.update(name="cosine", warmup=0.02, final=0.01)


def set_maps(c: ml_collections.ConfigDict, reference: str) -> None:
    """Set the group `maps`."""
    c.maps = ml_collections.ConfigDict()
    c.maps.reference = reference  # weights of a frozen classifier whose feature maps the critic sees; '' for none
    c.maps.layers = ("stage2", "stage3", "stage5")
