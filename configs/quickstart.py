"""The closed loop on procedural faces: a judge, a guide and a generator in minutes, without any download.

fergen study --config=quickstart
"""

import ml_collections


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds."""
    if arg not in ("", "smoke"):
        raise ValueError(f"expected no argument or ':smoke', found ':{arg}'")
    c = ml_collections.ConfigDict()
    c.study = "closed_loop"
    c.data = "procedural_n10000"
    c.judge = "procedural_judge"  # another architecture than the guide's
    c.guide = "procedural_small"
    c.generator = "procedural_cvae"
    c.features = ("lite0@128",)  # feature spaces of the distances
    c.n = 1000  # generated faces of all classes together
    c.per_class = 200
    if arg == "smoke":
        c.data = "procedural_n400"
        c.judge, c.guide, c.generator = (f"{name}:smoke" for name in (c.judge, c.guide, c.generator))
        c.features = ()
        c.n, c.per_class = 70, 10
    return c
