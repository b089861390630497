"""Do synthetic faces give away who was in the training set? Distances, membership inference, private training.

fergen prepare fer2013 --from fer2013.csv --ferplus fer2013new.csv
fergen study --config=privacy --workdir=runs/privacy

Measured on FER2013, at epsilons 2 and 8 with 200 steps: see the README. No face of the CVAE is nearer to a training
face than 99 % of held-out ones are; members are told from others with an area of .51 (CVAE) and .56 (fer2013_small).
"""

from configs.defaults import study


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds on procedural faces."""
    c = study.config("privacy")
    c.generators = ("cvae=fer2013_cvae",)
    c.classifiers = ("fer2013_small=fer2013_small",)  # attacked as well
    c.n = 3000  # faces of each generator, and of members and others in an attack
    c.features = ("fer2013_judge", "lite0@48")  # and faces.onnx, a face-embedding network of yours
    c.private = "fer2013_private"
    c.epsilons = ()  # accuracy of private training at each: 2.0, 8.0; with the extra `private`
    if arg == "smoke":
        c.generators = ("cgan=config=procedural_cgan:smoke",)
        c.n = 40
        c.features = ("lite0@32",)
        c.private = "procedural_private:smoke"
        c.epsilons = (8.0,)
    return study.finish(c, arg)
