"""RAF-DB, 7 classes, 100x100 colour: ResNet18 fine-tuned from ImageNet weights.

  fergen prepare rafdb --from RAF-DB/basic/
  fergen train --config=rafdb_resnet18 --workdir=runs/rafdb_resnet18
  fergen eval --workdir=runs/rafdb_resnet18

  fergen convert torchvision resnet18.pth resnet18.safetensors --model resnet --depth 18
then add --config.init_from=resnet18.safetensors. RAF-DB is not at hand: not measured.
"""

from configs.defaults import classifier


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds on procedural faces."""
    c = classifier.config()
    c.data.name = "rafdb"
    c.model.update(name="resnet", depth=18, dropout=0.2)
    c.augment.update(
        flip=0.5, rotate=10.0, scale=0.1, translate=0.05, brightness=0.2, contrast=0.2, saturation=0.2, erase=0.25
    )
    c.loss.label_smoothing = 0.1
    c.optim.update(name="adamw", lr=3e-4, weight_decay=0.05, schedule=dict(name="cosine", warmup=0.05))
    c.ema = 0.999
    c.epochs = 60.0
    c.precision = "bfloat16"
    return classifier.finish(c, arg)
