"""Where do generated faces lie among real ones? t-SNE and UMAP, with a two-sample classifier's accuracy beside.

fergen prepare fer2013 --from fer2013.csv --ferplus fer2013new.csv
fergen study --config=feature_space --workdir=runs/feature_space

Measured on FER2013: see the README. Faces of the CVAE are told from real ones in 97 % of cases in lite0@128, in 81 %
in fer2013_judge; training faces in 51 and 52 %.
"""

from configs.defaults import study


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds on procedural faces."""
    c = study.config("feature_space")
    c.generators = ("cvae=fer2013_cvae",)
    c.n = 1000  # faces of each source
    c.features = ("lite0@128", "fer2013_judge")
    c.methods = ("tsne",)  # and umap, with the extra of that name
    if arg == "smoke":
        c.generators = ("cgan=config=procedural_cgan:smoke",)
        c.n = 40
        c.features = ("lite0@32",)
    return study.finish(c, arg)
