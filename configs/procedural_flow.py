"""Procedural faces, 7 classes: class-conditional flow matching on two CPU cores.

  fergen train --config=procedural_flow --workdir=runs/procedural_flow
  fergen eval --workdir=runs/procedural_flow --judge=runs/procedural_cnn --features lite0@128

Measured is its short form, the generator of quickstart, 44,160 images: see there.
"""

from configs.defaults import flow


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds."""
    c = flow.config()
    flow.small(c)
    c.data.name = "procedural_n10000"
    c.augment.mirror = 0.0  # the light and the head's turn say which side is which; there are faces enough
    c.model.depths = (1, 1, 1)
    c.epochs = 8.0
    return flow.finish(c, arg)
