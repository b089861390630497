"""FER2013, 7 classes: MobileNetV3-Large with a stride-1 stem.

  fergen prepare fer2013 --from fer2013.csv --ferplus fer2013new.csv
  fergen train --config=fer2013_mobilenet --workdir=runs/fer2013_mobilenet
  fergen eval --workdir=runs/fer2013_mobilenet

Hardware, time and score: not measured yet; it is sized for one GPU (bf16), where `fergen bench` tells the rate.
"""

from configs.defaults import classifier


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds on procedural faces."""
    c = classifier.config()
    c.model.update(name="mobilenet", variant="large", stem="small")
    c.augment.update(flip=0.5, rotate=10.0, scale=0.2, translate=0.1, brightness=0.2, contrast=0.2, erase=0.25)
    c.loss.label_smoothing = 0.1
    c.optim.update(name="adamw", lr=2e-3, weight_decay=0.05, schedule=dict(name="cosine", warmup=0.05))
    c.ema = 0.999
    c.epochs = 120.0
    c.precision = "bfloat16"
    return classifier.finish(c, arg)
