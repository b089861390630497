"""The fields of every study of several runs, with the values that hold unless a study says otherwise."""

import ml_collections


def config(study: str) -> ml_collections.ConfigDict:
    """Return the defaults of a study.

    Args:
        study: the name of a file in fergen/studies.
    """
    c = ml_collections.ConfigDict()
    c.study = study
    c.executor = "local"  # who runs the trainings: a file in launch/, NAME or NAME:option=value,...
    c.data = "fer2013"
    c.split = "public"  # of that set; no run sees it before it is measured on it
    c.seeds = 2
    c.steps = 1200  # optimiser steps of every classifier, whatever it is trained on
    c.overrides = ml_collections.ConfigDict()
    c.overrides.classifiers = ()  # fields of all trainings of classifiers, "batch_size=64"
    c.overrides.generators = ()
    return c


def finish(c: ml_collections.ConfigDict, arg: str) -> ml_collections.ConfigDict:
    """Return the config as `arg` asks for it: whole for '', or 'smoke', on a few procedural faces.

    Raises:
        ValueError: another argument.
    """
    if arg not in ("", "smoke"):
        raise ValueError(f"expected no argument or ':smoke', found ':{arg}'")
    if arg == "smoke":
        c.executor = "here"
        c.data = "procedural_n400"
        c.split = "test"
        c.seeds = 1
        c.steps = 4
        short = ("batch_size=8", "scan=1", "log_every=1", "eval_every=2", "save_every=4", "tensorboard=False")
        c.overrides.classifiers = short
        # Of a cGAN, without all that makes its compilation long.
        plain = ("maps.reference=", "start.share=0.0", "model.widths=(8,8,8)", "model.width=4", "model.prior=16")
        c.overrides.generators = ("batch_size=8", "tensorboard=False", *plain)
    return c
