"""FER2013, 7 classes: class-conditional flow matching, sized for half an hour on one large GPU.

fergen prepare fer2013 --from fer2013.csv --ferplus fer2013new.csv
fergen train --config=fer2013_flow --workdir=runs/fer2013_flow
fergen eval --workdir=runs/fer2013_flow

12.9 M parameters at 48, 24, 12 and 6 pixels, attention at 12 and 6; 11 GFLOP per image and step. Not run yet: the
number of epochs assumes 10,000 images/s. fer2013_flow_small is the form for two CPU cores.
"""

from configs.defaults import flow


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds on procedural faces."""
    c = flow.config()
    c.precision = "bfloat16"
    # Rotations by up to a quarter of a half turn, and the paper's scales, stretches and shifts.
    c.augment.p = 0.12
    c.augment.ada.update(scale=1.0, rotate=1.0, rotate_max=0.25, aniso=1.0, xfrac=1.0)
    c.ema = 0.9995
    c.epochs = 580.0
    c.batch_size = 512
    c.scan = 50
    c.log_every = 500
    c.eval_every = 5000
    c.save_every = 5000
    return flow.finish(c, arg)
