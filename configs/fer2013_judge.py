"""FER2013, 7 classes: the judge, a network of another architecture than fer2013_small's, that measures generators.

fergen prepare fer2013 --from fer2013.csv --ferplus fer2013new.csv
fergen train --config=fer2013_judge --workdir=runs/fer2013_judge
fergen eval --workdir=runs/fer2013_judge
"""

from configs.defaults import classifier


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds on procedural faces."""
    c = classifier.config()
    c.seed = 1
    c.model.update(name="cnn", width=0.375, hidden=(256, 256), dropouts=(0.0, 0.05, 0.1, 0.15), dense_dropout=0.3)
    c.augment.update(flip=0.5, rotate=12.0, scale=0.15, translate=0.1, brightness=0.1, contrast=0.2)
    c.loss.label_smoothing = 0.1
    c.optim.update(name="adamw", lr=2e-3, weight_decay=0.05, schedule=dict(name="cosine", warmup=0.1))
    c.ema = 0.999
    c.epochs = 14.0
    return classifier.finish(c, arg)
