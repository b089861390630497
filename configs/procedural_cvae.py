"""Procedural faces, 48x48, 7 classes: a conditional variational autoencoder, in two stages.

  fergen train --config=procedural_cvae --workdir=runs/procedural_cvae \
    --config.guide.reference=REF --config.guide.weight=500.0
  fergen eval --workdir=runs/procedural_cvae --judge=JUDGE --features lite0@128 fer2013_small --n=500 --per-class=70

REF is a run of procedural_cnn, JUDGE one of procedural_small; without the guide's two fields control rests on the
labels alone. Not measured yet.
"""

from configs.defaults import cvae


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds."""
    c = cvae.config()
    cvae.lite0(c)
    c.data.name = "procedural_n10000"
    c.augment.mirror = 0.0  # the light and the head's turn say which side is which; there are faces enough
    c.epochs = 8.0
    c.eval_every = c.save_every = 250
    return cvae.finish(c, arg)
