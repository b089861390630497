"""How well an autoencoder gives faces back: along training in few figures, and afterwards in all."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from fergen.core.arrays import to_float, to_uint8
from fergen.data.dataset import Split
from fergen.evals.heldout import HeldOut
from fergen.losses.perceptual import feature_distance
from fergen.losses.variational import kl_per_unit, reconstruction, span
from fergen.metrics.similarity import WINDOW, mse, ssim

# Burda et al. 2016 (arXiv:1509.00519), section 5.2: a unit is active whose posterior mean varies more than this.
ACTIVE = 0.01


class FeatureMaps(NamedTuple):
    """A frozen network in whose feature maps reconstructions are compared with the faces.

    Attributes:
        name: beside the figure.
        maps: (variables, images) -> name -> feature maps.
        variables: of the network.
    """

    name: str
    maps: Callable
    variables: Any


def build(predict: Mapping[str, Callable], split: Split, *, batch: int = 256, mesh: Mesh | None = None) -> Callable:
    """Return variables -> {validation/loss, validation/mse, validation/kl}, for the loop.

    The loss is the negative evidence lower bound in nats per image, up to a constant: from one draw of each posterior,
    always the same, for Gaussian pixels of the variance of greatest likelihood. It compares models whatever they were
    trained by.

    Args:
        predict: of a CVAE: `encode` and `decode`.
        split: the validation split.
        batch: images per pass.
        mesh: split each pass over these devices, of all hosts; None for the default device.
    """
    held = HeldOut(split, batch, mesh)
    n = held.n

    def key_of(row):
        return jax.random.fold_in(jax.random.key(0), row)

    @jax.jit
    def sums(variables, images, labels, start):
        rows, mask = held.rows(start)
        x, y = to_float(images[rows]), labels[rows]
        mean, logvar = predict["encode"](variables, x, y)
        noise = jax.vmap(lambda key: jax.random.normal(key, mean.shape[1:]))(jax.vmap(key_of)(rows))
        drawn = predict["decode"](variables, mean + jnp.exp(logvar / 2) * noise, y)
        errors = (mse(predict["decode"](variables, mean, y), x), mse(drawn, x), kl_per_unit(mean, logvar).sum(-1))
        return tuple((each * mask).sum() for each in errors)

    def evaluate(variables) -> dict[str, float]:
        # A loop of calls: XLA's CPU backend runs the body of a scan on one core.
        parts = [sums(variables, held.images, held.labels, start) for start in held.starts()]
        error, drawn, kl = (float(np.sum([np.asarray(part[i]) for part in parts])) / n for i in range(3))
        residual = jnp.full((1, *split.images.shape[1:]), np.sqrt(drawn))
        return {
            "validation/loss": float(reconstruction("l2", residual)) + kl,
            "validation/mse": error,
            "validation/kl": kl,
        }

    return evaluate


def measure(
    predict: Mapping[str, Callable],
    variables: Any,
    split: Split,
    *,
    regions: Mapping[str, Sequence[float]],
    networks: Sequence[FeatureMaps] = (),
    batch: int = 256,
    advance: Callable[[int], None] | None = None,
) -> dict[str, float]:
    """Measure reconstructions of a split's faces from the means of their posteriors.

    Args:
        predict: of a CVAE: `encode` and `reconstruct`.
        variables: its arrays.
        split: faces of the CVAE's size and classes.
        regions: name -> box (top, left, bottom, right) in [0, 1]; a spec's `regions`.
        networks: frozen networks to compare in; none is needed.
        batch: images per pass.
        advance: called with the number of images done since the last call.

    Returns:
        `mse`, of images in [-1, 1]; `mse/<region>`, and `mse/elsewhere` of the pixels in none; `ssim` (images of 11
        pixels a side or more); `perceptual/<network>`; `kl` in nats per image; `active_units`, the number of latent
        entries whose posterior mean has a variance above 0.01 over the split.
    """
    height, width = split.images.shape[1:3]
    places: dict[str, Any] = {name: span(box, height, width) for name, box in regions.items()}
    rest = np.ones((height, width), bool)
    for place in places.values():
        rest[place] = False
    if places and rest.any():
        places["elsewhere"] = np.nonzero(rest)

    @jax.jit
    def scores(variables, others, images, labels):
        x = to_float(images)
        mean, logvar = predict["encode"](variables, x, labels)
        made = predict["reconstruct"](variables, x, labels)
        errors = jnp.square(made - x).mean(-1)
        found = {"mse": mse(made, x), "kl": kl_per_unit(mean, logvar).sum(-1)}
        found |= {f"mse/{name}": errors[:, *place].reshape(len(x), -1).mean(-1) for name, place in places.items()}
        if min(height, width) >= WINDOW:
            found["ssim"] = ssim(made, x)
        for net, weights in zip(networks, others):
            ours, theirs = (net.maps(weights, images) for images in (made, x))
            found[f"perceptual/{net.name}"] = feature_distance(ours, theirs, list(theirs))
        return found, mean

    others = [net.variables for net in networks]
    totals: dict[str, float] = {}
    means = []
    for start in range(0, len(split), batch):
        part = slice(start, start + batch)
        images, labels = np.asarray(split.images[part]), np.asarray(split.labels[part], np.int32)
        # The last batch is filled up with its last image, so that one compiled call serves all.
        fill = (0, min(batch, len(split)) - len(images))
        images = np.pad(images, (fill, (0, 0), (0, 0), (0, 0)), mode="edge")
        found, mean = scores(variables, others, images, np.pad(labels, fill, mode="edge"))
        real = slice(len(labels))
        for name, values in found.items():
            totals[name] = totals.get(name, 0.0) + float(np.asarray(values, np.float64)[real].sum())
        means.append(np.asarray(mean, np.float64)[real])
        if advance:
            advance(len(labels))
    scores_of_split = {name: total / len(split) for name, total in totals.items()}
    return scores_of_split | {"active_units": float(active_units(np.concatenate(means)))}


def relabelled(predict: Mapping[str, Callable], variables: Any, split: Split, n: int, k: int) -> np.ndarray:
    """Give the first faces of a split back under every label.

    Args:
        predict: of a CVAE: `reconstruct` and `relabel`.
        variables: its arrays.
        split: faces of the CVAE's size and classes.
        n: how many faces, of as many classes as there are.
        k: number of classes.

    Returns:
        uint8 [n, 2 + k, h, w, c]: each face, its reconstruction, and the face relabelled as every class.
    """
    of_class = [np.flatnonzero(split.labels == c) for c in range(k)]
    turns = [rows[turn] for turn in range(n) for rows in of_class if turn < len(rows)]
    rows = np.sort(turns[:n])
    images, labels = np.asarray(split.images[rows]), np.asarray(split.labels[rows], np.int32)
    x = to_float(images)
    made = [jax.jit(predict["reconstruct"])(variables, x, labels)]
    change = jax.jit(predict["relabel"])
    made += [change(variables, x, labels, np.full_like(labels, c)) for c in range(k)]
    return np.stack([images, *(np.asarray(to_uint8(faces)) for faces in made)], axis=1)


def active_units(means: np.ndarray) -> int:
    """Count the latent entries that tell images apart: posterior means [n, d] whose variance over n is above 0.01.

    Burda et al. 2016 (arXiv:1509.00519), section 5.2.
    """
    return int((means.var(axis=0) > ACTIVE).sum())
