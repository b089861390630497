"""FER2013, 7 classes: ResNet50, fine-tuned from ImageNet weights when you bring them.

  fergen prepare fer2013 --from fer2013.csv --ferplus fer2013new.csv
  fergen train --config=fer2013_resnet50 --workdir=runs/fer2013_resnet50
  fergen eval --workdir=runs/fer2013_resnet50

  fergen convert torchvision resnet50.pth resnet50.safetensors --model resnet --depth 50 --channels 1
then add --config.init_from=resnet50.safetensors; without it, the run starts from scratch. The 3x3 stem, of stride 1
for small images, starts fresh; --config.model.stem=imagenet takes it too.
Hardware, time and score: not measured yet; it is sized for one GPU (bf16), where `fergen bench` tells the rate.
"""

from configs.defaults import classifier


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds on procedural faces."""
    c = classifier.config()
    c.model.update(name="resnet", depth=50, stem="small", dropout=0.3)
    c.augment.update(flip=0.5, rotate=10.0, scale=0.2, translate=0.1, brightness=0.2, contrast=0.2, erase=0.25)
    c.loss.label_smoothing = 0.1
    c.optim.update(name="adamw", lr=5e-4, weight_decay=0.05, schedule=dict(name="cosine", warmup=0.05))
    c.ema = 0.999
    c.epochs = 60.0
    c.precision = "bfloat16"
    return classifier.finish(c, arg)
