"""FER2013, 7 classes: a small residual network trained with differential privacy, epsilon 8, on two CPU cores.

  pip install 'fergen[private]'
  fergen prepare fer2013 --from fer2013.csv --ferplus fer2013new.csv
  fergen train --config=fer2013_private --workdir=runs/fer2013_private --config.seed=SECRET
  fergen eval --workdir=runs/fer2013_private

The guarantee is of the weights, for each training row; what it leaves open stands in fergen/tasks/private.py.
--config.privacy.epsilon=2.0 for less; =0.0 for the same network without privacy.
"""

from configs.defaults import classifier


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds on procedural faces."""
    c = classifier.config()
    classifier.private(c)
    c.epochs = 20.0
    return classifier.finish(c, arg)
