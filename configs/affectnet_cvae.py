"""AffectNet, 128x128 colour, 8 classes: a conditional variational autoencoder, in two stages.

  fergen prepare affectnet --from AffectNet/
  fergen convert torchvision vgg16.pth --model vgg --depth 16 --no-batch-norm --size 128 vgg16.safetensors
  fergen train --config=affectnet_cvae --workdir=runs/affectnet_cvae --config.perceptual.reference=vgg16.safetensors \
    --config.perceptual.features=0.5 --config.perceptual.style=0.2 --config.perceptual.moments=0.1
  fergen eval --workdir=runs/affectnet_cvae

For one GPU. vgg16.pth is torchvision's table, which the user brings; without those four fields there is one stage. A
network that needs no download: --config.perceptual.reference=lite0@128 with
--config.perceptual.layers="('stage1', 'stage2', 'stage3')". A guide, which teaches control, is a classifier of these
classes: --config.guide.reference=REF --config.guide.weight=100, where REF is a run of affectnet_resnet18.
AffectNet is not at hand: not measured.
"""

from configs.defaults import cvae


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds on procedural faces."""
    c = cvae.config()
    c.data.name = "affectnet"
    c.data.stream = True
    c.model.latent = 256
    c.model.widths = (64, 128, 256, 384)
    c.model.depths = (1, 2, 2, 2)
    c.perceptual.layers = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")
    c.loss.warmup = 5000
    c.optim.lr = 2e-3
    c.ema = 0.9995
    c.epochs = 30.0
    c.precision = "bfloat16"
    return cvae.finish(c, arg)
