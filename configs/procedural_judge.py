"""Procedural faces, 7 classes: the judge of generators, a network of another architecture than procedural_small's.

fergen train --config=procedural_judge --workdir=runs/procedural_judge --eval
"""

from configs.defaults import classifier


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds."""
    c = classifier.config()
    c.seed = 1
    c.data.name = "procedural_n10000"
    c.model.update(name="cnn", width=0.25, hidden=(1024, 512), dropouts=(0.0, 0.0, 0.05, 0.1), dense_dropout=0.1)
    c.augment.update(flip=0.5, rotate=5.0, scale=0.05, translate=0.05)
    c.loss.label_smoothing = 0.1
    c.optim.update(name="adamw", lr=1.5e-3, weight_decay=0.05, schedule=dict(name="cosine", warmup=0.1))
    c.ema = 0.99
    c.epochs = 8.0
    c.eval_every = 120
    c.save_every = 120
    c.log_every = 10
    return classifier.finish(c, arg)
