"""FER2013, 48x48, 7 classes: a conditional variational autoencoder, in two stages.

  fergen prepare fer2013 --from fer2013.csv --ferplus fer2013new.csv
  fergen train --config=fer2013_cvae --workdir=runs/fer2013_cvae
  fergen eval --workdir=runs/fer2013_cvae --guide=fer2013_small --features lite0@128 fer2013_judge --n=2000

For the last two fifths of the steps reconstructions and samples are also to look right to EfficientNet-Lite0
(--config.perceptual.reference= with features, style and moments of 0 for none). VGG16 instead: fergen convert
torchvision vgg16.pth --model vgg --depth 16 --no-batch-norm --size 48 vgg16.safetensors, then
--config.perceptual.reference=vgg16.safetensors --config.perceptual.layers="('relu1_2', 'relu2_2', 'relu3_3')". The
guide is the classifier that ships; without it (--config.guide.reference= --config.guide.weight=0) control rests on the
labels alone. Not measured yet.
"""

from configs.defaults import cvae


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds on procedural faces."""
    c = cvae.config()
    cvae.lite0(c)
    c.guide.update(reference="fer2013_small", weight=100.0)
    c.data.balance = True  # 1.5 % of the faces are disgust
    c.epochs = 3.0
    return cvae.finish(c, arg)
