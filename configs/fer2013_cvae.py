"""FER2013, 48x48, 7 classes: a conditional variational autoencoder. The first of its two stages.

  fergen prepare fer2013 --from fer2013.csv --ferplus fer2013new.csv
  fergen train --config=fer2013_cvae --workdir=runs/fer2013_cvae
  fergen eval --workdir=runs/fer2013_cvae

The second stage, which sharpens what this one gives, is fer2013_cvae_perceptual. The guide is the classifier that
ships; without it (--config.guide.reference= --config.guide.weight=0) control rests on the labels alone. Not measured
yet.
"""

from configs.defaults import cvae


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds on procedural faces."""
    c = cvae.config()
    c.guide.update(reference="fer2013_small", weight=20.0)
    return cvae.finish(c, arg)
