"""FER2013 brought to 64x64, 7 classes: StyleGAN2-ADA with the official "auto" settings.

  fergen prepare fer2013 --from fer2013.csv
  fergen train --config=fer2013_stylegan2_64 --workdir=runs/fer2013_stylegan2_64
  fergen eval --workdir=runs/fer2013_stylegan2_64 --features lite0@128 fer2013_judge

For one large GPU, as fer2013_stylegan2 and for the same measures at another size. Not trained yet.
"""

from configs.defaults import stylegan2


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds on procedural faces."""
    c = stylegan2.config("auto", resolution=64, images=25_838)
    stylegan2.faces(c)
    c.resolution = 64
    return stylegan2.finish(c, arg)
