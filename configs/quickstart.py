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
    c.judge = "procedural_small"  # another architecture than the guide's
    c.guide = "procedural_cnn"
    c.generator = "procedural_flow"
    # Fields of theirs, as field=value: short forms of all three.
    c.overrides = ml_collections.ConfigDict()
    muon = ("optim.name=muon", "optim.lr=4e-3", "batch_size=64")
    c.overrides.judge = ("epochs=3.0", *muon)
    c.overrides.guide = ("epochs=2.0", "model.filters=(24,48,96)", *muon)
    c.overrides.generator = ("epochs=5.0", "model.depths=(1,1,1)")
    c.features = ("lite0@128",)  # feature spaces of the distances
    c.n = 500  # generated faces of all classes together
    c.per_class = 70
    if arg == "smoke":
        c.data = "procedural_n400"
        c.judge, c.guide, c.generator = (f"{name}:smoke" for name in (c.judge, c.guide, c.generator))
        c.overrides.update(judge=(), guide=(), generator=())
        c.features = ()
        c.n, c.per_class = 70, 10
    return c
