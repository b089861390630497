"""FER2013, 7 classes: the four-block CNN at a quarter of its width, for studies of many runs on two CPU cores.

fergen prepare fer2013 --from fer2013.csv --ferplus fer2013new.csv
fergen train --config=fer2013_cnn_quarter --workdir=runs/fer2013_cnn_quarter
fergen eval --workdir=runs/fer2013_cnn_quarter
"""

from configs.defaults import classifier


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds on procedural faces."""
    c = classifier.config()
    c.model.update(name="cnn", width=0.25, dropouts=(0.1, 0.1, 0.1, 0.1), dense_dropout=0.2)
    c.augment.update(flip=0.5, rotate=10.0, scale=0.1, translate=0.1)
    c.loss.label_smoothing = 0.1
    c.optim.update(name="muon", lr=4e-3, schedule=dict(name="cosine", warmup=0.05))
    c.ema = 0.99
    c.epochs = 10.0
    c.batch_size = 64
    c.eval_every = c.save_every = 500
    return classifier.finish(c, arg)
