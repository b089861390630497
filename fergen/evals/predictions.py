"""Outputs of a predict function over many images, in batches of one shape."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from fergen.augment import crops
from fergen.core import mesh as meshes
from fergen.core.arrays import to_float

Predict = Callable[[Any, Any], jax.Array]


@partial(jax.jit, static_argnums=(0, 3, 4))
def _forward(predict: Predict, variables: Any, images: jax.Array, views: str, mesh: Mesh | None) -> jax.Array:
    out = _predicted(predict, variables, images, views)
    # Every host gets every row, in the order of the images.
    return out if mesh is None else jax.lax.with_sharding_constraint(out, meshes.replicated(mesh))


def _predicted(predict: Predict, variables: Any, images: jax.Array, views: str) -> jax.Array:
    if views == "single":
        return predict(variables, images)
    # Probabilities are averaged, not logits: the average is the prediction of the mixture of views, and one
    # over-confident view cannot outvote the others. Its logarithm is returned, whose softmax it is.
    seen = crops.views(to_float(images), views)
    each = jnp.stack([jax.nn.log_softmax(predict(variables, view)) for view in seen])
    return jax.nn.logsumexp(each, axis=0) - jnp.log(len(each))


def logits(
    predict: Predict,
    variables: Any,
    images: np.ndarray,
    batch: int = 256,
    views: str = "single",
    *,
    mesh: Mesh | None = None,
    advance: Callable[[int], None] | None = None,
) -> np.ndarray:
    """Classify every image, from one view or several.

    The last batch is filled up with copies of its last image, so that one compiled call serves any number of images;
    their outputs are cut off. A network in evaluation mode treats rows apart from each other: the fill changes nothing.

    Args:
      predict: (variables, images uint8 or float32 [b, h, w, c]) -> logits [b, C]; compiled once per function.
      variables: its arrays, an argument of the compiled call.
      images: uint8 [n, h, w, c], n at least 1, may be memory-mapped.
      batch: images per call; with k views a call sees k times as many.
      views: "single", "flip" (2 views), "five_crop" (5), "ten_crop", "ten_shift" (10); see
        `fergen.augment.crops.views`. Several views are averaged as probabilities.
      mesh: split each batch over these devices, which must divide `batch`, of all hosts; None for the default device.
      advance: called with the number of images done since the last call.

    Returns:
      float32 [n, C]: logits, or with several views the log of the average probability. The softmax of either is the
      prediction. With views="single", any other function of a batch serves as well, such as one to features [b, d].
    """
    if not len(images):
        raise ValueError("expected at least one image, found none")
    variables = meshes.place(variables, meshes.replicated(mesh)) if mesh else jax.device_put(variables)
    outputs = []
    for start in range(0, len(images), batch):
        part = np.asarray(images[start : start + batch])
        filled = np.concatenate([part, np.repeat(part[-1:], batch - len(part), axis=0)])
        out = _forward(predict, variables, _placed(filled, mesh), views, mesh)
        outputs.append(np.asarray(out, np.float32)[: len(part)])
        if advance:
            advance(len(part))
    return np.concatenate(outputs)


def _placed(batch: np.ndarray, mesh: Mesh | None) -> jax.Array:
    if mesh is None:
        return jax.device_put(batch)
    share = len(batch) // jax.process_count()
    return meshes.place(batch[jax.process_index() * share :][:share], meshes.split(mesh))
