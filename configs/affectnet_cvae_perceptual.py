"""AffectNet, 128x128 colour, 8 classes: the second stage of affectnet_cvae, tuned to look right to a frozen VGG16.

  fergen convert torchvision vgg16.pth --model vgg --depth 16 --no-batch-norm --size 128 vgg16.safetensors
  fergen train --config=affectnet_cvae_perceptual --workdir=runs/affectnet_cvae_perceptual \
    --config.init_from=runs/affectnet_cvae \
    --config.perceptual.reference=vgg16.safetensors \
    --config.perceptual.features=0.5 --config.perceptual.style=0.2 --config.perceptual.moments=0.1
  fergen eval --workdir=runs/affectnet_cvae_perceptual

It needs what affectnet_cvae prepares (fergen prepare affectnet) and trains; vgg16.pth is torchvision's table, which the
user brings. A classifier of ours serves as well, with --config.perceptual.layers="('stage1', 'stage2')".
AffectNet is not at hand: not measured.
"""

from configs import affectnet_cvae
from configs.defaults import cvae


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds on procedural faces."""
    c = affectnet_cvae.get_config()
    c.perceptual.layers = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")
    c.loss.warmup = 0
    c.optim.lr = 6e-4
    c.epochs = 8.0
    return cvae.finish(c, arg)
