"""What the page's tests serve: tiny generators, a folder of runs, pictures good and bad."""

import json
from pathlib import Path

import jax
import numpy as np
from PIL import Image
from skimage import data

from fergen.data.vocabulary import VOCABULARIES
from fergen.show import faces
from fergen.tasks import cvae_nets
from fergen.tasks.stylegan2_nets import by_collection, initial
from fergen.train import weights
from tests.train.test_projecting import SPEC

SEVEN = VOCABULARIES["seven"]
LINEAGE = {"weights": {}, "data": {}}


def stylegan2(path: Path) -> Path:
    """Write a StyleGAN2 of 8x8 pixels with random weights."""
    spec = {**SPEC, "classes": list(SEVEN), "prior": [1 / 7] * 7}
    variables = by_collection(jax.jit(lambda key: initial(spec, key))(jax.random.key(0)))
    weights.write(path, variables, spec=spec, lineage=LINEAGE, card={})
    return path


def cvae(path: Path) -> Path:
    """Write a CVAE of 8x8 pixels with random weights, for two expressions."""
    spec = {
        "task": "cvae",
        "model": {"name": "cvae", "latent": 4, "widths": [4, 8], "depths": [1, 1], "prior": 8, "dtype": "float32"},
        "classes": ["happy", "sad"], "image": {"height": 8, "width": 8, "channels": 1}, "nets": ["cvae"],
        "latent": [4], "conditional": True, "prior": [0.5, 0.5], "sampler": {"guidance": 1.0, "truncation": 1.0},
    }  # fmt: skip
    variables = jax.jit(lambda key: cvae_nets.initial(spec, key))(jax.random.key(0))
    weights.write(path, variables, spec=spec, lineage=LINEAGE, card={})
    return path


def runs(folder: Path) -> Path:
    """Write a folder of a run with curves, pictures and scores, and of a study with a report."""
    run = folder / "first"
    run.mkdir(parents=True)
    rows = [{"step": 10 * i, "train/loss": 1 / i, "validation/accuracy": 1 - 0.5 / i} for i in range(1, 20)]
    (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    noise = np.random.default_rng(0).integers(0, 256, (2, 3, 8, 8, 1), np.uint8)
    faces.grid(noise, run / "samples" / "000100.png", classes=["happy", "sad"])
    (run / "eval" / "190").mkdir(parents=True)
    scores = {"split": "public", "accuracy": 0.67123, "accuracy.low": 0.6501, "accuracy.high": 0.6902, "n": 321}
    (run / "eval" / "190" / "public.json").write_text(json.dumps(scores))
    (run / "config.json").write_text("{}")
    (folder / "of" / "study").mkdir(parents=True)
    (folder / "of" / "study" / "report.md").write_text("# What carries over\n\n![x](pictures/x.png)\n\nA finding.\n")
    return folder


def astronaut() -> np.ndarray:
    """A photograph with one face, uint8 [512, 512, 3] (NASA, public domain)."""
    return data.astronaut()


def bad_pictures(folder: Path) -> dict[str, tuple[Path, str]]:
    """Write uploads that are refused: name -> file, and what is said."""
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(astronaut()).save(folder / "whole.png")
    (folder / "broken.png").write_bytes((folder / "whole.png").read_bytes()[:5000])
    (folder / "words.png").write_text("not an image " * 50)
    (folder / "empty.png").touch()
    Image.new("L", (10_000, 5_000), 128).save(folder / "large.png")
    return {
        "broken": (folder / "broken.png", "truncated or damaged"),
        "words": (folder / "words.png", "expected an image (JPEG, PNG"),
        "empty": (folder / "empty.png", "found an empty file"),
        "large": (folder / "large.png", "10000 x 5000 pixels, 50 million; expected at most 24 million"),
    }
