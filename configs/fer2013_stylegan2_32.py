"""FER2013 brought to 32x32, 7 classes: StyleGAN2-ADA with the official "auto" settings.

  fergen prepare fer2013 --from fer2013.csv
  fergen train --config=fer2013_stylegan2_32 --workdir=runs/fer2013_stylegan2_32
  fergen eval --workdir=runs/fer2013_stylegan2_32 --features lite0@128 fer2013_judge

For one large GPU, as fer2013_stylegan2 and for the same measures at another size. Not trained yet.
"""

from configs.defaults import stylegan2


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds on procedural faces."""
    c = stylegan2.config("auto", resolution=32, images=25_838)
    stylegan2.faces(c)
    c.resolution = 32
    return stylegan2.finish(c, arg)
