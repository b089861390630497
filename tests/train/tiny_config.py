"""A classifier small enough for tests: 16 px, a few filters; its data set is written by the tests."""

from configs.defaults import classifier


def get_config(arg: str = ""):
    """Return the config; `arg` is the folder of the prepared set."""
    c = classifier.config()
    c.data.name = arg
    c.model.update(name="cnn_simple", filters=(4, 8), hidden=64, dropout=0.0, norm="batch")
    c.augment.update(flip=0.5, rotate=5.0, translate=0.05)
    c.loss.label_smoothing = 0.1
    c.optim.update(name="adamw", lr=5e-3, weight_decay=0.01, schedule=dict(name="cosine", warmup=0.1))
    c.ema = 0.9
    c.batch_size = 16
    c.epochs = 12.0  # of 96 rows: 72 steps
    c.scan = 2
    c.log_every = 2
    c.eval_every = 12
    c.save_every = 6
    c.tensorboard = False
    return c
