"""AffectNet, 8 classes, 128x128 in colour: class-conditional flow matching for one large GPU.

fergen prepare affectnet --from PATH
fergen train --config=affectnet_flow --workdir=runs/affectnet_flow
fergen eval --workdir=runs/affectnet_flow

fer2013_flow with patches of 2x2 pixels as channels: 64, 32, 16 and 8 pixels, attention at 16 and 8. Not run yet.
"""

from configs.defaults import flow


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds on procedural faces."""
    c = flow.config()
    c.precision = "bfloat16"
    c.data.name = "affectnet"
    c.data.balance = True
    c.data.stream = True
    c.model.patch = 2
    c.model.widths = (96, 192, 256, 320)
    c.model.embedding = 384
    # With twice the pixels to a side, neighbours tell more of each other and the same noise hides less.
    c.loss.time_mean = 0.0
    c.augment.p = 0.12
    c.augment.ada.update(scale=1.0, rotate=1.0, rotate_max=0.25, aniso=1.0, xfrac=1.0)
    c.ema = 0.9995
    c.epochs = 50.0
    c.batch_size = 256
    c.scan = 50
    c.log_every = 500
    c.eval_every = 5000
    c.save_every = 5000
    return flow.finish(c, arg)
