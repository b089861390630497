"""FER2013, 48x48, 7 classes: a GAN whose critic also tells the classes apart, in the form of ReACGAN.

  fergen prepare fer2013 --from fer2013.csv --ferplus fer2013new.csv
  fergen train --config=fer2013_acgan --workdir=runs/fer2013_acgan
  fergen eval --workdir=runs/fer2013_acgan

ACGAN as it was, with softmax cross-entropy, which is known to collapse: --config.model.conditioning=auxiliary. On a GPU
take --config.model.width=128 --config.model.widest=512 --config.precision=bfloat16. Not measured yet.
"""

from configs.defaults import gan


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds on procedural faces."""
    c = gan.config()
    c.data.balance = True  # 1.5 % of the faces are disgust
    c.model.conditioning = "reacgan"
    c.loss.classes = 0.5
    c.epochs = 6.0
    return gan.finish(c, arg)
