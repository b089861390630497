"""Procedural faces, 7 classes: the small network of fer2013_private, with differential privacy and without downloads.

pip install 'fergen[private]'
fergen train --config=procedural_private --workdir=runs/procedural_private
fergen eval --workdir=runs/procedural_private
"""

from configs.defaults import classifier


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds."""
    c = classifier.config()
    classifier.private(c)
    c.data.name = "procedural_n10000"
    c.epochs = 10.0
    return classifier.finish(c, arg)
