"""A generator and a classifier in closed form: a face's first pixel says what it shows, its second how well."""

import jax
import jax.numpy as jnp
import numpy as np

from fergen.core import lineage as lineages
from fergen.data.vocabulary import VOCABULARIES
from fergen.train.restore import Restored

SEVEN = VOCABULARIES["seven"]
SIZE = {"height": 8, "width": 8, "channels": 1}


def generator(*, conditional: bool = True, prior=None, classes=SEVEN, size=SIZE) -> Restored:
    """Pixel (0, 0) is 30 x label, pixel (0, 1) the latent's first coordinate through Phi: uniform; the rest noise."""

    def sample(variables, latents, labels):
        n = len(labels)
        rest = jnp.tanh(latents @ variables["params"]["w"]).reshape(n, size["height"], size["width"], size["channels"])
        shown = labels if conditional else jnp.zeros_like(labels)
        rest = rest.at[:, 0, 0].set((shown * 30 / 127.5 - 1)[:, None])
        return rest.at[:, 0, 1].set((2 * jax.scipy.stats.norm.cdf(latents[:, 0]) - 1)[:, None])

    pixels = size["height"] * size["width"] * size["channels"]
    k = len(classes)
    spec = {
        "task": "fake",
        "classes": list(classes),
        "image": dict(size),
        "latent": [4],
        "conditional": conditional,
        "prior": prior or [1 / k] * k,
        "data": {"hash": "d" * 64, "split": "train"},
    }
    return Restored(
        "runs/fake@9",
        {"draw": lambda key: jax.random.normal(key, (4,)), "sample": sample},
        {"params": {"w": np.random.default_rng(0).normal(size=(4, pixels)).astype(np.float32)}},
        spec,
        lineages.of_weights("fake@9", "a" * 64, lineages.of_data("faces", "d" * 64)),
        "a" * 64,
        {},
    )


def classifier(classes=SEVEN, *, blind: str = "", shown=SEVEN, name: str = "runs/filter") -> Restored:
    """Its probability of the class that a face shows is the face's second pixel / 255; blind to one class."""
    columns = np.array([classes.index(c) if c in classes else 0 for c in shown])
    blindness = np.array([1e3 if c == blind else 0 for c in classes], np.float32)

    def logits(variables, images):
        shows = jnp.asarray(columns)[jnp.round(images[:, 0, 0, 0] / 30).astype(int)]
        p = jnp.clip(images[:, 0, 1, 0] / 255, 1e-3, 1 - 1e-3)
        one = jax.nn.one_hot(shows, len(classes))
        return one * jnp.log(p / (1 - p) * (len(classes) - 1))[:, None] - variables["params"]["blind"]

    spec = {"task": "classifier", "classes": list(classes), "image": dict(SIZE)}
    lineage = lineages.of_weights("filter", "f" * 64, lineages.of_data("others", "e" * 64))
    return Restored(name, {"logits": logits}, {"params": {"blind": blindness}}, spec, lineage, "f" * 64, {})


def contents(folder) -> dict[str, bytes]:
    """Every file of a folder, hidden ones too."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
