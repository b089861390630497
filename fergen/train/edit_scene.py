"""What an edit of faces works with: a StyleGAN2, the classifiers that guide it and judge it, and where faces begin."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fergen.core.errors import BadInput
from fergen.data.vocabulary import canonical, is_known
from fergen.evals.independence import require_independent
from fergen.latent import search
from fergen.tasks.state import recorded
from fergen.tasks.stylegan2_nets import networks_of
from fergen.train import faces
from fergen.train.projecting import STYLES, stylegan2_of
from fergen.train.restore import Restored, restore


@dataclass(frozen=True)
class Scene:
    """The networks of an edit and its faces.

    Attributes:
        net: the StyleGAN2.
        target: the expression.
        guides: classifiers whose gradient is followed.
        targets: the expression's number in each one's vocabulary.
        judge: an independent classifier; None for none.
        start: points [n, layers, w] of the faces before; latents [n, 1, z] in the space z.
        white: of styles, or latents.
        synthesise: points -> images near [-1, 1].
    """

    net: Restored
    target: str
    guides: list[Restored]
    targets: list[int]
    judge: Restored | None
    start: jax.Array
    white: search.Whitening
    synthesise: Callable[[jax.Array], jax.Array]

    def logits(self) -> list[search.Guide]:
        """Return the guides as functions of images."""
        return [lambda x, m=member: m.predict["logits"](m.variables, x) for member in self.guides]

    def seen_by(self, member: Restored, images: np.ndarray) -> list[float]:
        """Return the probability that a classifier gives to the expression on each face, uint8 [n, h, w, c]."""
        logits = member.predict["logits"](member.variables, images)
        wanted = jnp.full(len(images), index(member, self.target))
        return np.asarray(search.probability(logits, wanted)).tolist()


def scene(
    reference: str,
    target: str,
    *,
    guides: Sequence[str],
    judge: str | None,
    start: str | Path | None,
    label: str | None,
    truncation: float | None,
    n: int,
    space: str,
    seed: int,
) -> Scene:
    """Restore the networks and make the faces; arguments and errors as of `fergen.train.editing.edit`."""
    net = stylegan2_of(reference, truncation=truncation)
    members = [classifier(name) for name in guides]
    targets = [index(member, target) for member in members]
    witness = None if judge is None else classifier(judge)
    if witness is not None:
        require_independent(net, witness)
        for member in members:
            # The guide's own weights, and its architecture: what it teaches convinces others of its kind.
            taught = {**member.spec, **recorded("guide", {"guide": member})}
            require_independent(replace(member, spec=taught), witness)
    draw, styles = jax.vmap(net.predict["draw"]), jax.jit(net.predict["styles"])

    def synthesise(ws: jax.Array) -> jax.Array:
        return net.predict["synthesise"](net.variables, ws)

    if start is not None:
        if space == "z":
            raise BadInput(f"--from={start} with --space=z: projected faces have styles alone; take w or w+")
        begin = loaded(net, start)
    else:
        names = faces.chosen(net.spec, None if label is None else [label])
        known = list(net.spec["classes"])
        labels = jnp.array([known.index(names[i % len(names)]) for i in range(n)])
        z = draw(jax.random.split(jax.random.key(seed, impl="threefry2x32"), n))
        if space == "z":
            width = z.shape[1]
            plain = search.Whitening(jnp.zeros(width), jnp.eye(width))

            def of_latents(points: jax.Array) -> jax.Array:
                return synthesise(net.predict["styles"](net.variables, points[:, 0], labels))

            return Scene(net, target, members, targets, witness, z[:, None], plain, of_latents)
        begin = styles(net.variables, z, labels)
    white = search.whitening(many_styles(net, None)[:, 0])
    return Scene(net, target, members, targets, witness, begin, white, synthesise)


def many_styles(net: Restored, label: str | None, n: int = STYLES) -> jax.Array:
    """Return the styles [n, layers, w] of random latents, of one label or of every class in turn.

    Raises:
        BadInput: the generator does not know the label.
    """
    names = faces.chosen(net.spec, None if label is None else [label])
    known = list(net.spec["classes"])
    labels = jnp.array([known.index(name) for name in names])[jnp.arange(n) % len(names)]
    z = jax.random.normal(jax.random.key(0, impl="threefry2x32"), (n, *net.spec["latent"]))
    return jax.jit(net.predict["styles"])(net.variables, z, labels)


def classifier(reference: str) -> Restored:
    """Restore a classifier.

    Raises:
        BadInput: no such weights, or other ones.
    """
    found = restore(reference)
    if "logits" not in found.predict:
        raise BadInput(f"weights '{reference}': expected a classifier, found a {found.spec['task']}")
    return found


def index(member: Restored, name: str) -> int:
    """Return the number of an expression among a network's classes.

    Raises:
        BadInput: it does not know it.
    """
    classes = list(member.spec["classes"])
    wanted = canonical(name) if name not in classes and is_known(name) else name
    if wanted not in classes:
        raise BadInput(f"unknown emotion '{name}': '{member.name}' knows {', '.join(classes)}")
    return classes.index(wanted)


def named_by(member: Restored, images: np.ndarray, name: str) -> list[bool]:
    """Return whether a classifier's first guess on each face, uint8 [n, h, w, c], is an expression."""
    logits = jax.jit(member.predict["logits"])(member.variables, images)
    return (np.asarray(logits).argmax(1) == index(member, name)).tolist()


def loaded(net: Restored, path: str | Path) -> jax.Array:
    """Return the styles [n, layers, w] of a file that `fergen project` or `fergen edit` wrote.

    Raises:
        BadInput: it holds no styles of this generator.
    """
    layout, width = networks_of(net.spec).synthesis.layout, networks_of(net.spec).mapping.w
    try:
        ws: Any = np.load(path)["ws"]
    except (OSError, KeyError, ValueError) as error:
        raise BadInput(f"{path}: expected styles.npz of fergen project, found none ({error})") from None
    if ws.ndim != 3 or ws.shape[1:] != (layout.styles, width):
        raise BadInput(
            f"{path}: expected styles [n, {layout.styles}, {width}] of this generator, found shape {ws.shape}"
        )
    return jnp.asarray(ws)
