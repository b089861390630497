"""FER2013, 48x48, 7 classes: the second stage of fer2013_cvae, tuned to look right to a frozen network.

  fergen train --config=fer2013_cvae_perceptual --workdir=runs/fer2013_cvae_perceptual \
    --config.init_from=runs/fer2013_cvae
  fergen eval --workdir=runs/fer2013_cvae_perceptual

It needs what fer2013_cvae prepares (fergen prepare fer2013) and trains. The network is the classifier that ships.
EfficientNet-Lite0 with ImageNet weights instead: --config.perceptual.reference=lite0@48, or @96 for finer maps.
VGG16: fergen convert torchvision vgg16.pth --model vgg --depth 16 --no-batch-norm --size 48 vgg16.safetensors, then
--config.perceptual.reference=vgg16.safetensors --config.perceptual.layers="('relu1_2', 'relu2_2', 'relu3_3')". Not
measured yet.
"""

from configs import fer2013_cvae
from configs.defaults import cvae


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds on procedural faces."""
    c = fer2013_cvae.get_config()
    c.perceptual.update(reference="fer2013_small", features=0.5, style=0.2, moments=0.1)
    c.loss.warmup = 0
    c.optim.lr = 2e-3
    c.epochs = 4.0
    return cvae.finish(c, arg)
