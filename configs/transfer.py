"""What do classifiers learn from synthetic faces? Real, synthetic and both, at several amounts, one test.

fergen prepare fer2013 --from fer2013.csv --ferplus fer2013new.csv
fergen study --config=transfer --workdir=runs/transfer

Measured with fer2013_cvae, plain, x1, x2 and beside real faces (2 seeds, 2 cores, 25 min with local:parallel=2):
see the README's table; .29 from synthetic faces alone against .55 from real ones. With a run of fer2013_flow_small,
half as many faces as real ones, guidance 1 and 3: .43 and .44:

fergen study --config=transfer --config.generators=flow=fer2013_flow_small \\
  --config.variants=plain=--guidance=1,guided=--guidance=3 --config.times="(.5,)" --config.ratios="(.5,)"

Generators are named by their weights, as fer2013_cvae, which ships, or as config=NAME of one to train first. What
stands above was measured with its earlier form of 4.1 M parameters.
"""

from configs.defaults import study


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds on procedural faces."""
    c = study.config("transfer")
    c.classifiers = ("fer2013_cnn_quarter",)
    c.generators = ("cvae=fer2013_cvae",)
    c.times = (1.0, 2.0)  # synthetic faces alone, in multiples of the real ones
    c.ratios = (1.0,)  # synthetic faces beside all real ones
    # Each with flags of fergen sample: other forms than plain of each generator's faces, in the first of these amounts.
    c.variants = (
        "plain=",
        "filtered=--filter=fer2013_small --confidence=0.5",
        "relabelled=--filter=fer2013_small --confidence=0.5 --correct",
    )
    if arg == "smoke":
        c.generators = ("cgan=config=procedural_cgan:smoke",)
        c.variants = ("plain=",)
        c.times = (0.5, 1.0)
        c.ratios = (0.5,)
    return study.finish(c, arg)
