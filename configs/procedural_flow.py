"""Procedural faces, 7 classes: class-conditional flow matching in a quarter of an hour on two CPU cores.

fergen train --config=procedural_flow --workdir=runs/procedural_flow --eval
"""

from configs.defaults import flow


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds."""
    c = flow.config()
    flow.small(c)
    c.data.name = "procedural_n10000"
    c.augment.mirror = 0.0  # the light and the head's turn say which side is which; there are faces enough
    c.sampler.guidance = 2.5
    c.epochs = 20.0
    return flow.finish(c, arg)
