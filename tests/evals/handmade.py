"""Hand-made splits and a fake restored classifier, small enough to check by eye."""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np

from fergen.data.vocabulary import VOCABULARIES

SEVEN = VOCABULARIES["seven"]


def make_split(labels, *, classes=SEVEN, images=None, name="public", **rows):
    """A split by attributes, as `fergen.data.dataset.Split` has them."""
    labels = np.asarray(labels, np.int32)
    spec = SimpleNamespace(classes=tuple(classes), name="handmade", hash="0" * 64)
    images = np.zeros((len(labels), 4, 4, 1), np.uint8) if images is None else images
    return SimpleNamespace(spec=spec, name=name, labels=labels, images=images, rows={"label": labels, **rows})


def logits_for(predictions, num_classes=7, confidence=3.0):
    """Logits whose argmax are the predictions."""
    return confidence * np.eye(num_classes, dtype=np.float32)[np.asarray(predictions)]


def linear(variables, images):
    """A classifier that uses every pixel, so that any mix-up of rows shows."""
    flat = images.reshape(images.shape[0], -1).astype(jnp.float32)
    return flat @ variables["kernel"]


def make_restored(shape=(48, 48, 1), classes=SEVEN, seed=0, name="runs/fake", card=None):
    """Restored weights of the linear classifier."""
    kernel = np.random.default_rng(seed).normal(size=(int(np.prod(shape)), len(classes))).astype(np.float32) / 1000
    return SimpleNamespace(
        name=name,
        predict={"logits": linear, "features": linear},
        variables={"kernel": kernel},
        spec={
            "classes": list(classes),
            "image": {"height": shape[0], "width": shape[1], "channels": shape[2]},
            "data": {"name": "handmade"},
        },
        card=card or {},
        lineage={},
        hash="f" * 64,
        step=4,
        workdir=None,
    )
