"""FER2013, 7 classes: class-conditional flow matching that trains on two CPU cores.

fergen prepare fer2013 --from fer2013.csv --ferplus fer2013new.csv
fergen train --config=fer2013_flow_small --workdir=runs/fer2013_flow_small
fergen eval --workdir=runs/fer2013_flow_small

fer2013_flow with patches of 2x2 pixels as channels, fewer and narrower blocks.
"""

from configs.defaults import flow


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds on procedural faces."""
    c = flow.config()
    flow.small(c)
    c.data.balance = True  # few passes over the data: the rarest class would be seen too little to be learned
    c.optim.lr = 6e-3
    c.epochs = 8.0
    return flow.finish(c, arg)
