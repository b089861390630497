"""The fields of every GAN experiment, with the values that hold unless an experiment says otherwise."""

import ml_collections

from configs.defaults import experiment

finish = experiment.finish


def config() -> ml_collections.ConfigDict:
    """Return the defaults: sized for two CPU cores and 48x48 pixels."""
    c = experiment.config("gan")
    c.data.only = ""  # a class, to train on its faces alone
    c.model.name = "dcgan"
    c.model.conditioning = "projection"  # none, concat, projection, auxiliary or reacgan
    c.model.latent = 64
    c.model.grain = True  # a latent entry per pixel besides
    c.model.embedding = 64  # of a label, beside the latent
    c.model.width = 32  # channels at half of the resolution, doubled with each halving ...
    c.model.widest = 256  # ... up to these
    c.model.spectral_norm = False  # in the critic

    c.loss.kind = "logistic"  # or hinge, or relativistic (with r1 and r2, interval 1)
    c.loss.smoothing = 0.0  # one-sided: real images count as real with probability 1 - smoothing
    c.loss.r1 = 1.0  # gamma of the penalty on real images; 0 for none
    c.loss.r2 = 0.0  # the same on fakes
    c.loss.interval = 8  # steps between penalties, each as many times as strong
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
    c.optim.update(name="adam", lr=4e-4, b1=0.0, b2=0.99)
    c.optim.schedule.update(name="cosine", warmup=0.01, final=0.1)
    c.critic_rate = 1.0  # the critic's learning rate as a multiple of the generator's (TTUR)
    c.ema = 0.998
    c.batch_size = 64
    c.epochs = 10.0
    return c
