"""Models of any config with random weights, as `restore` gives them."""

import importlib
from functools import cache

import numpy as np

from fergen.core import config as configs
from fergen.core.tree import leaf_names, nest
from fergen.data.dataset import Split
from fergen.data.layout import DatasetSpec
from fergen.data.vocabulary import VOCABULARIES
from fergen.train import setup
from fergen.train.restore import Restored, restore

EXPERIMENTS = [name for name in configs.names() if "study" not in configs.load(name)]
# Side and channels of the sets' images, where they are no 48x48 gray ones.
IMAGES = {"affectnet": (128, 3), "rafdb": (100, 3)}


@cache
def fixed_of(reference: str) -> Restored:
    return restore(reference)


def made(name: str, overrides: tuple[str, ...] = (), card: dict | None = None) -> Restored:
    """The model of a config, from no data."""
    config = configs.load(name, ["batch_size=64", *overrides])
    classes = tuple(VOCABULARIES[config.data.vocabulary or "seven"])
    side, channels = IMAGES.get(config.data.name, (48, 1))
    data = DatasetSpec(config.data.name, classes, (side, side, channels), {}, (0.1,) * channels, (0.5,) * channels, "0")
    labels = np.arange(70, dtype=np.int32) % len(classes)
    train = Split(data, "train", np.zeros((70, side, side, channels), np.uint8), {"label": labels})
    module = setup.task_module(config.task)
    fixed = {role: fixed_of(reference) for role, reference in module.references(config).items()}
    spec = module.build(config, train, 100, fixed).spec
    lineage = {"data": {"0": config.data.name}, "weights": {}}
    return Restored(name, module.predict_of(spec), weights(spec), spec, lineage, "f" * 64, card or {})


def weights(spec: dict, seed: int = 0) -> dict:
    """Random weights under which values stay of the order of 1."""
    shapes = importlib.import_module(f"fergen.tasks.{spec['task']}").shapes_of(spec)
    rng, leaves = np.random.default_rng(seed), {}
    for name, leaf in leaf_names(shapes).items():
        x, last = rng.standard_normal(leaf.shape), name.rpartition("/")[2]
        if last == "kernel" and spec["task"] != "stylegan2":
            # A deep classifier otherwise says the same of all images.
            x = (1.5 if spec["task"] == "classifier" else 1.0) * x / np.sqrt(np.prod(leaf.shape[:-1]))
        elif last == "var":
            x = 1 + 0.1 * np.abs(x)
        elif last == "scale":
            x = 1 + 0.1 * x
        elif last in ("bias", "mean"):
            x = 0.1 * x
        leaves[name] = np.asarray(x, leaf.dtype)
    return nest(leaves)
