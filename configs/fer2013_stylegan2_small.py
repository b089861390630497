"""FER2013, 48x48, 7 classes: a small StyleGAN2-ADA for two CPU cores.

  fergen prepare fer2013 --from fer2013.csv
  fergen train --config=fer2013_stylegan2_small --workdir=runs/fer2013_stylegan2_small
  fergen eval --workdir=runs/fer2013_stylegan2_small --features lite0@128 fer2013_judge

Not measured yet.
"""

from configs.defaults import stylegan2


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds on procedural faces."""
    c = stylegan2.config("auto", resolution=48, images=25_838)
    stylegan2.faces(c)
    stylegan2.small(c)
    c.guide.update(reference="fer2013_small", weight=0.1)
    return stylegan2.finish(c, arg)
