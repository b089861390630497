"""FER2013, 7 classes: the simpler CNN of the CNN + GAN augmentation study (Conv-BN-ReLU-MaxPool blocks).

  fergen prepare fer2013 --from fer2013.csv --ferplus fer2013new.csv
  fergen train --config=fer2013_cnn_simple --workdir=runs/fer2013_cnn_simple
  fergen eval --workdir=runs/fer2013_cnn_simple

Hardware, time and score: not measured yet; it is sized for one GPU (bf16), where `fergen bench` tells the rate.
"""

from configs.defaults import classifier


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds on procedural faces."""
    c = classifier.config()
    c.model.update(name="cnn_simple")
    c.augment.update(flip=0.5, rotate=10.0, scale=0.1, translate=0.1)
    c.optim.update(name="adam", lr=1e-3, schedule=dict(name="cosine", warmup=0.05))
    c.epochs = 60.0
    return classifier.finish(c, arg)
