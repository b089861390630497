"""FER2013, 7 classes: the small residual network that trains on two CPU cores and ships with the package.

fergen prepare fer2013 --from fer2013.csv --ferplus fer2013new.csv
fergen train --config=fer2013_small --workdir=runs/fer2013_small
fergen eval --workdir=runs/fer2013_small

815 k parameters. On 2 cores of a 2.8 GHz Xeon (AVX-512, jax 0.10.2) `fergen bench` prints 262 images/s for the step,
263 for training with its input, 969 for prediction: 79 minutes for the 9,690 steps. The score of the whole run has not
been measured yet.
"""

from configs.defaults import classifier


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds on procedural faces."""
    c = classifier.config()
    c.model.update(name="fernet", widths=(32, 96, 160), depths=(1, 1, 1), dropout=0.2)
    c.augment.update(flip=0.5, rotate=12.0, scale=0.15, translate=0.1, brightness=0.1, contrast=0.2)
    c.loss.label_smoothing = 0.1
    c.optim.update(name="sgd", lr=0.15, weight_decay=5e-4, schedule=dict(name="cosine", warmup=0.1))
    c.ema = 0.999
    c.epochs = 48.0
    return classifier.finish(c, arg)
