"""Procedural faces, 7 classes: the augmentation study's CNN, another architecture than procedural_small's.

fergen train --config=procedural_cnn --workdir=runs/procedural_cnn --eval
"""

from configs.defaults import classifier


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds."""
    c = classifier.config()
    c.seed = 1
    c.data.name = "procedural_n10000"
    c.model.update(name="cnn_simple", filters=(32, 64, 128), hidden=256, dropout=0.2)
    c.augment.update(flip=0.5, rotate=5.0, scale=0.05, translate=0.05)
    c.loss.label_smoothing = 0.1
    c.optim.update(name="adamw", lr=2e-3, weight_decay=0.05, schedule=dict(name="cosine", warmup=0.1))
    c.ema = 0.99
    c.epochs = 10.0
    c.eval_every = 120
    c.save_every = 120
    c.log_every = 10
    return classifier.finish(c, arg)
