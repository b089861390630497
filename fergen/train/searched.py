"""A StyleGAN2 whose every face is moved by guided search until a classifier sees its label: a generator like any other.

The guide's weight against realism and size of the move is its knob between control and coverage.
"""

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from fergen.core import lineage
from fergen.core.errors import BadInput
from fergen.core.keys import named
from fergen.data.vocabulary import mapping
from fergen.latent import search
from fergen.tasks.guide import seen
from fergen.tasks.state import recorded, require_classifier
from fergen.train import faces
from fergen.train.projecting import many_styles
from fergen.train.restore import Restored, restore

STEPS = 30


class Way(NamedTuple):
    """A search under way: the latents [n, z] that it began with, and where it is."""

    latents: jax.Array
    state: search.State


def generator(reference: str, *, search: str | None = None, **sampler: Any) -> Restored:
    """Restore a generator, some of its sampler's options replaced, its faces searched for where that is asked.

    Args:
        reference: see `fergen.train.restore.restore`.
        search: "REF" or "REF*WEIGHT": the classifier that guides, and the weight of its cross-entropy (1).
        **sampler: see `fergen.train.faces.generator`; with a search `steps` are the search's (30).

    Raises:
        BadInput: as `fergen.train.faces.generator`, or as `searched`.
    """
    if search is None:
        return faces.generator(reference, **sampler)
    steps = sampler.pop("steps", None) or STEPS
    name, _, text = search.partition("*")
    try:
        weight = float(text or 1)
    except ValueError:
        weight = -1.0
    if not name or not 0 <= weight < np.inf:
        raise BadInput(f"--search={search}: expected REF*WEIGHT, a classifier and a weight of 0 or more")
    return searched(faces.generator(reference, **sampler), restore(name), weight, steps)


def searched(net: Restored, guide: Restored, weight: float, steps: int = STEPS) -> Restored:
    """Return a generator that searches from each of a StyleGAN2's faces for one that shows its label to a guide.

    Args:
        net: a conditional StyleGAN2.
        guide: a classifier that knows its classes; its weights enter the lineage, so that it is no judge of the faces.
        weight: of the guide's cross-entropy, see `fergen.latent.search.Settings`.
        steps: of the search.

    Returns:
        A generator: `draw(key)`, `sample(variables, latents, labels)`, and the steps that `sample` is made of. A face
        depends on its latent and label alone, not on the batch that it is in.

    Raises:
        BadInput: another generator, or a guide that lacks one of its classes.
    """
    if net.spec["task"] != "stylegan2" or not net.spec["conditional"]:
        raise BadInput(f"weights '{net.name}': expected a conditional stylegan2 to search in, found another generator")
    require_classifier(guide, f"weights '{guide.name}'")
    targets = mapping(net.spec["classes"], guide.spec["classes"])
    if lacking := [name for name, at in zip(net.spec["classes"], targets) if at < 0]:
        raise BadInput(f"guide '{guide.name}' knows {', '.join(guide.spec['classes'])}, not {', '.join(lacking)}")
    settings = search.Settings(steps=steps, guide=weight, identity=0.0, views=2)
    white = search.whitening(many_styles(net, None)[:, 0])
    variables = {"generator": net.variables, "guide": guide.variables, "white": white._asdict()}

    def descent(variables: Any, latents: jax.Array, labels: jax.Array) -> search.Descent:
        # Views by the latent's own bits: whatever batch a face is in, it stays the same.
        bits = jax.lax.bitcast_convert_type(latents[:, 0].astype(jnp.float32), jnp.uint32)
        key = named(jax.random.key(0, impl="threefry2x32"), "search")
        return search.descent(
            lambda ws: net.predict["synthesise"](variables["generator"], ws),
            [lambda images: guide.predict["logits"](variables["guide"], images)],
            start=net.predict["styles"](variables["generator"], latents, labels),
            targets=[jnp.asarray(targets)[labels]],
            white=search.Whitening(**variables["white"]),
            views=lambda key, x: seen(key, x, jnp.zeros((len(x), 1)))[0],
            keys=jax.vmap(lambda each: jax.random.fold_in(key, each))(bits),
            settings=settings,
        )

    def sample_step(variables: Any, x: jax.Array | Way, i: Any, labels: jax.Array) -> Way:
        latents = x.latents if isinstance(x, Way) else x
        way = descent(variables, latents, labels)
        return Way(latents, way.update(x.state if isinstance(x, Way) else way.begin))

    def sample_end(variables: Any, x: Way, labels: jax.Array) -> jax.Array:
        points = descent(variables, x.latents, labels).points(x.state)
        return net.predict["synthesise"](variables["generator"], points).clip(-1, 1)

    def sample(variables: Any, latents: jax.Array, labels: jax.Array) -> jax.Array:
        way = descent(variables, latents, labels)
        end = jax.lax.fori_loop(0, steps, lambda _, state: way.update(state), way.begin)
        return sample_end(variables, Way(latents, end), labels)

    own = {**(net.spec.get("sampler") or {}), "steps": steps, "search": f"{Path(guide.name).name}*{weight:g}"}
    return dataclasses.replace(
        net,
        predict={"draw": net.predict["draw"], "sample": sample, "sample_step": sample_step, "sample_end": sample_end},
        variables=variables,
        spec={**net.spec, "sampler": own, **recorded("search", {"search": guide})},
        lineage=lineage.merge(net.lineage, lineage.of_weights(Path(guide.name).name, guide.hash, guide.lineage)),
    )
