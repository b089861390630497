"""FER+, 8 classes: ResNet18 on the distribution of the ten votes (the labels are people's, not FER2013's).

  fergen prepare fer2013 --from fer2013.csv --ferplus fer2013new.csv
  fergen train --config=ferplus_resnet18 --workdir=runs/ferplus_resnet18
  fergen eval --workdir=runs/ferplus_resnet18

Hardware, time and score: not measured yet; it is sized for one GPU (bf16), where `fergen bench` tells the rate.
"""

from configs.defaults import classifier


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds on procedural faces."""
    c = classifier.config()
    c.data.vocabulary = "eight"
    c.data.labels = "ferplus_soft"
    c.model.update(name="resnet", depth=18, stem="small", dropout=0.2)
    c.augment.update(flip=0.5, rotate=10.0, scale=0.2, translate=0.1, brightness=0.2, contrast=0.2, erase=0.25)
    c.optim.update(name="sgd", lr=0.1, weight_decay=5e-4, schedule=dict(name="cosine", warmup=0.03))
    c.ema = 0.9995
    c.epochs = 120.0
    c.precision = "bfloat16"
    return classifier.finish(c, arg)
