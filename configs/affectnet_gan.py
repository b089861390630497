"""AffectNet, 128x128 colour, 8 classes: an unconditional GAN, on all faces or on those of one class.

  fergen prepare affectnet --from AffectNet/
  fergen train --config=affectnet_gan --workdir=runs/affectnet_gan
  fergen eval --workdir=runs/affectnet_gan

For one class add --config.data.only=contempt --config.data.stream=False. For one large GPU: 8 M parameters in the
generator, 12 M in the critic, 3.9 G operations for a forward pass of both.
AffectNet is not at hand: not measured.
"""

from configs.defaults import gan


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds on procedural faces."""
    c = gan.config("dcgan")
    c.data.name = "affectnet"
    c.data.stream = True
    c.model.latent = 128
    c.model.width = 64
    c.model.widest = 512
    c.model.conditioning = "none"
    # Everything but quarter turns and negatives, which faces do not show.
    c.augment.ada.update(preset="bgc", rotate90=0.0, lumaflip=0.0)
    c.optim.lr = 2e-4
    c.ema = 0.9995
    c.epochs = 20.0
    c.batch_size = 128
    c.precision = "bfloat16"
    return gan.finish(c, arg)
