"""FER2013, 7 classes: ResNet18 with a 3x3 stem, mixup and label smoothing.

  fergen prepare fer2013 --from fer2013.csv --ferplus fer2013new.csv
  fergen train --config=fer2013_resnet18 --workdir=runs/fer2013_resnet18
  fergen eval --workdir=runs/fer2013_resnet18

No outside data.
Hardware, time and score: not measured yet; it is sized for one GPU (bf16), where `fergen bench` tells the rate.
"""

from configs.defaults import classifier


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds on procedural faces."""
    c = classifier.config()
    c.model.update(name="resnet", depth=18, stem="small", dropout=0.2)
    c.augment.update(flip=0.5, rotate=10.0, scale=0.2, translate=0.2, affine_probability=0.7)
    c.augment.update(brightness=0.3, contrast=0.3, erase=0.5, mixup=1.0, mix_probability=0.5)
    c.loss.label_smoothing = 0.1
    c.optim.update(name="sgd", lr=0.1, weight_decay=5e-4, schedule=dict(name="cosine", warmup=0.03))
    c.ema = 0.9995
    c.epochs = 200.0
    c.precision = "bfloat16"
    return classifier.finish(c, arg)
