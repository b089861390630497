"""Procedural faces, 48x48: a conditional GAN whose critic judges realism and label match by projection.

fergen train --config=procedural_cgan --workdir=runs/procedural_cgan
fergen eval --workdir=runs/procedural_cgan

Not measured yet.
"""

from configs.defaults import gan


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds."""
    c = gan.config()
    c.data.name = "procedural_n10000"
    c.augment.mirror = 0.0  # the light and the head's turn say which side is which; there are faces enough
    c.loss.mismatch = 0.5
    c.epochs = 11.0
    return gan.finish(c, arg)
