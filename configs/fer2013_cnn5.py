"""FER2013, 5 classes: the five-class study's CNN with its recipe: flips, small rotations, Adam with weight decay.

  fergen prepare fer2013 --from fer2013.csv --ferplus fer2013new.csv
  fergen train --config=fer2013_cnn5 --workdir=runs/fer2013_cnn5
  fergen eval --workdir=runs/fer2013_cnn5

The source reports 73 % as a baseline 'to be reported after experiments'.
Hardware, time and score: not measured yet; it is sized for one GPU (bf16), where `fergen bench` tells the rate.
"""

from configs.defaults import classifier


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds on procedural faces."""
    c = classifier.config()
    c.data.vocabulary = "five"
    c.model.update(name="cnn")
    c.augment.update(flip=0.5, rotate=10.0)
    c.optim.update(name="adam", lr=1e-3, weight_decay=1e-4, schedule=dict(name="cosine", warmup=0.05))
    c.epochs = 60.0
    c.batch_size = 64
    c.precision = "bfloat16"
    return classifier.finish(c, arg)
