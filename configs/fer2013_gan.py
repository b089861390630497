"""FER2013, 48x48: an unconditional GAN, the generator of the augmentation study, on all faces or on those of one class.

  fergen prepare fer2013 --from fer2013.csv --ferplus fer2013new.csv
  fergen train --config=fer2013_gan --workdir=runs/fer2013_gan
  fergen eval --workdir=runs/fer2013_gan

Add --config.data.only=disgust for the faces of one class, with as many more epochs as the class is smaller. On a GPU
take --config.model.width=128 --config.model.widest=512 --config.precision=bfloat16. Not measured yet.
"""

from configs.defaults import gan


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds on procedural faces."""
    c = gan.config("dcgan")
    c.model.conditioning = "none"
    c.epochs = 12.0
    return gan.finish(c, arg)
