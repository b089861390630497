"""Procedural faces, 48x48: an unconditional GAN, on all faces or on those of one class.

fergen train --config=procedural_gan --workdir=runs/procedural_gan
fergen eval --workdir=runs/procedural_gan

For one class add --config.data.only=happy. Not measured yet.
"""

from configs.defaults import gan


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds."""
    c = gan.config("dcgan")
    c.data.name = "procedural_n10000"
    c.augment.mirror = 0.0  # the light and the head's turn say which side is which; there are faces enough
    c.model.conditioning = "none"
    c.batch_size = 32
    c.epochs = 14.0
    c.ema = 0.997
    c.eval_every = 500
    c.save_every = 500
    return gan.finish(c, arg)
