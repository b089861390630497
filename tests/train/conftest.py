"""A prepared set of 16 px images whose class is a pattern under noise."""

from pathlib import Path

import numpy as np
import pytest

from fergen.core import config as configs
from fergen.core.paths import write_json

CLASSES = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
TINY = Path(__file__).with_name("tiny_config.py")


def write_set(folder: Path, splits: dict[str, int], size: int = 16) -> Path:
    """Write a prepared set by hand."""
    rng = np.random.default_rng(0)
    patterns = rng.integers(0, 192, (len(CLASSES), size, size, 1))
    folder.mkdir(parents=True)
    for name, n in splits.items():
        label = np.arange(n, dtype=np.int32) % len(CLASSES)
        images = (patterns[label] + rng.integers(0, 64, (n, size, size, 1))).astype(np.uint8)
        np.save(folder / f"{name}.images.npy", images)
        np.savez(folder / f"{name}.rows.npz", label=label, id=np.arange(n), twin=np.zeros(n, bool))
    write_json(
        folder / "dataset.json",
        {
            "format": 1,
            "name": "tiny",
            "classes": CLASSES,
            "image_shape": [size, size, 1],
            "splits": splits,
            "mean": [0.0],
            "std": [0.4],
            "vocabulary": "seven",
            "hash": "5e" * 32,
            "source": {},
            "options": {},
            "lineage": {"weights": {}, "data": {}},
        },
    )
    return folder


@pytest.fixture(scope="session")
def tiny_set(tmp_path_factory):
    return write_set(tmp_path_factory.mktemp("sets") / "tiny", {"train": 96, "validation": 21})


@pytest.fixture
def tiny(tiny_set):
    """A function of overrides that gives the tiny config."""
    return lambda *overrides: configs.load(f"{TINY}:{tiny_set}", overrides)
