"""Procedural faces, 48x48: a GAN whose critic also tells the classes apart, in the form of ReACGAN.

fergen train --config=procedural_acgan --workdir=runs/procedural_acgan
fergen eval --workdir=runs/procedural_acgan

Not measured yet.
"""

from configs.defaults import gan


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds."""
    c = gan.config()
    c.data.name = "procedural_n10000"
    c.augment.mirror = 0.0  # the light and the head's turn say which side is which; there are faces enough
    c.model.conditioning = "reacgan"
    c.loss.classes = 0.5
    c.loss.interval = 4
    c.epochs = 11.0
    return gan.finish(c, arg)
