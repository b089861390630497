"""AffectNet, 128x128 colour, 8 classes: a conditional variational autoencoder. The first of its two stages.

  fergen prepare affectnet --from AffectNet/
  fergen train --config=affectnet_cvae --workdir=runs/affectnet_cvae
  fergen eval --workdir=runs/affectnet_cvae

For one GPU. The second stage is affectnet_cvae_perceptual. A guide, which teaches control, is a classifier of these
classes: --config.guide.reference=REF --config.guide.weight=20, where REF is a run of affectnet_resnet18.
AffectNet is not at hand: not measured.
"""

from configs.defaults import cvae


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds on procedural faces."""
    c = cvae.config()
    c.data.name = "affectnet"
    c.data.stream = True
    c.model.latent = 256
    c.model.widths = (64, 128, 256, 384)
    c.model.depths = (1, 2, 2, 2)
    c.loss.warmup = 5000
    c.optim.lr = 2e-3
    c.ema = 0.9995
    c.epochs = 30.0
    c.precision = "bfloat16"
    return cvae.finish(c, arg)
