"""FER2013, 48x48, 7 classes: StyleGAN2-ADA at the data's own size, 3 x 16, with the official "auto" settings.

  fergen prepare fer2013 --from fer2013.csv
  fergen train --config=fer2013_stylegan2 --workdir=runs/fer2013_stylegan2
  fergen eval --workdir=runs/fer2013_stylegan2 --features lite0@128 fer2013_judge

For one large GPU: 22.5 million parameters in the generator, 25.8 million in the discriminator, half precision in the
blocks of the four highest resolutions; --config.epochs=200 for a fifth of the official 25 million images. Not trained
yet.
"""

from configs.defaults import stylegan2


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds on procedural faces."""
    c = stylegan2.config("auto", resolution=48, images=25_838)
    stylegan2.faces(c)
    return stylegan2.finish(c, arg)
