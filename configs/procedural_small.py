"""Procedural faces, 7 classes: from nothing to a trained and measured classifier in minutes, without any download.

fergen train --config=procedural_small --workdir=runs/procedural_small --eval
"""

from configs.defaults import classifier


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds."""
    c = classifier.config()
    c.data.name = "procedural_n10000"
    c.model.update(name="fernet", widths=(24, 64, 96), depths=(1, 1, 1), dropout=0.2)
    c.augment.update(flip=0.5, rotate=5.0, scale=0.05, translate=0.05)
    c.loss.label_smoothing = 0.1
    c.optim.update(name="adamw", lr=4e-3, weight_decay=0.05, schedule=dict(name="cosine", warmup=0.1))
    c.ema = 0.99
    c.epochs = 8.0
    c.eval_every = 120
    c.save_every = 120
    c.log_every = 10
    return classifier.finish(c, arg)


def sweep():
    """Yield the variations of `fergen sweep`."""
    for rate in (2e-3, 4e-3, 8e-3):
        yield f"lr {rate}", {"optim.lr": rate}
