"""FER2013, 7 classes: the four-block CNN at a quarter of its width, for studies of many runs on two CPU cores.

fergen prepare fer2013 --from fer2013.csv --ferplus fer2013new.csv
fergen train --config=fer2013_cnn_quarter --workdir=runs/fer2013_cnn_quarter
fergen eval --workdir=runs/fer2013_cnn_quarter

Measured on 2 cores of an AMD EPYC (2.6 GHz, AVX-512, jax 0.10.2), two seeds of 38,400 images, two runs side by side in
about 6 min with their measuring: accuracy on public 55.1 +- .5, macro-F1 44.9 +- .2. With dropout, turns and a batch of
64 the same images gave 41 on validation.
"""

from configs.defaults import classifier


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds on procedural faces."""
    c = classifier.config()
    # Of a run of minutes nothing is learned by heart: dropout and larger changes only slow it.
    c.model.update(name="cnn", width=0.25, dropouts=(0.0, 0.0, 0.0, 0.0), dense_dropout=0.0)
    c.augment.update(flip=0.5, translate=0.05)
    c.loss.label_smoothing = 0.1
    c.optim.update(name="muon", lr=4e-3, schedule=dict(name="cosine", warmup=0.05))
    c.ema = 0.99
    c.epochs = 1.5
    c.batch_size = 32
    c.eval_every = c.save_every = 300
    return classifier.finish(c, arg)
