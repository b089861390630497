"""How good is a classifier, honestly? Any configs, n seeds, chosen on validation, with and without twins, one table.

fergen prepare fer2013 --from fer2013.csv --ferplus fer2013new.csv
fergen study --config=benchmark --workdir=runs/benchmark
fergen study --config=benchmark --config.csv=theirs.csv    # somebody else's probabilities beside

Measured on FER2013 with two seeds of fer2013_cnn_quarter: see the README; 54.4 % each, 55.5 % averaged.
"""

from configs.defaults import study


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds on procedural faces."""
    c = study.config("benchmark")
    c.classifiers = ("fer2013_cnn_quarter",)
    c.seeds = 3
    c.steps = 0  # each config's own length
    c.tta = "flip"  # views that are averaged, see fergen eval
    c.csv = ()  # files of probabilities, a column id and one per class
    c = study.finish(c, arg)
    if arg == "smoke":
        c.classifiers = ("fer2013_cnn_quarter:smoke",)
        c.seeds = 2
    return c
