"""FER2013, 48x48, 7 classes: a conditional GAN whose critic judges realism and label match by projection.

  fergen prepare fer2013 --from fer2013.csv --ferplus fer2013new.csv
  fergen train --config=fer2013_cgan --workdir=runs/fer2013_cgan
  fergen eval --workdir=runs/fer2013_cgan

The label beside noise and image, as in the cGAN study, instead: --config.model.conditioning=concat
--config.loss.mismatch=0. R3GAN's game: --config.loss.kind=relativistic --config.loss.r2=1. On a GPU take
--config.model.width=128 --config.model.widest=512 --config.precision=bfloat16. Not measured yet.
"""

from configs.defaults import gan


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds on procedural faces."""
    c = gan.config()
    c.data.balance = True  # 1.5 % of the faces are disgust
    c.loss.mismatch = 0.5
    c.epochs = 6.0
    return gan.finish(c, arg)
