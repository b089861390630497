"""AffectNet, 128x128 colour, 8 classes: StyleGAN2-ADA with the official "auto" settings.

  fergen prepare affectnet --from AffectNet/
  fergen train --config=affectnet_stylegan2 --workdir=runs/affectnet_stylegan2
  fergen eval --workdir=runs/affectnet_stylegan2 --judge=JUDGE --features lite0@128

For one large GPU or several; JUDGE is a run of affectnet_resnet18. Not trained yet.
"""

from configs.defaults import stylegan2


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds on procedural faces."""
    c = stylegan2.config("auto", resolution=128, images=258_000)
    stylegan2.faces(c)
    c.data.name = "affectnet"
    return stylegan2.finish(c, arg)
