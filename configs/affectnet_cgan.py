"""AffectNet, 128x128 colour, 8 classes: a conditional GAN whose critic judges realism and label match by projection.

  fergen prepare affectnet --from AffectNet/
  fergen train --config=affectnet_cgan --workdir=runs/affectnet_cgan
  fergen eval --workdir=runs/affectnet_cgan

For one large GPU: 12 M parameters each in encoder and generator, 14 M in the critic.
AffectNet is not at hand: not measured.
"""

from configs.defaults import gan


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds on procedural faces."""
    c = gan.config()
    c.data.name = "affectnet"
    c.data.balance = True
    c.data.stream = True
    c.model.latent = 256
    c.model.widths = (64, 128, 256, 256)
    c.model.depths = (1, 1, 2, 2)
    c.model.width = 64
    c.model.widest = 256
    c.maps.reference = "lite0@128"
    c.loss.mismatch = 0.5
    # Everything but quarter turns and negatives, which faces do not show.
    c.augment.ada.update(preset="bgc", rotate90=0.0, lumaflip=0.0)
    c.ema = 0.9995
    c.epochs = 20.0
    c.batch_size = 128
    c.precision = "bfloat16"
    return gan.finish(c, arg)
