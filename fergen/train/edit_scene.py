"""What an edit of faces works with: a StyleGAN2, the classifiers that guide it and judge it, and where faces begin."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fergen.core.arrays import to_uint8
from fergen.core.errors import BadInput
from fergen.data.vocabulary import canonical, is_known
from fergen.evals import sampling
from fergen.evals.independence import require_independent
from fergen.latent import search
from fergen.tasks.state import recorded, require_classifier
from fergen.tasks.stylegan2_nets import networks_of
from fergen.train import faces
from fergen.train.projecting import labels_in_turn, many_styles, stylegan2_of
from fergen.train.restore import Restored, restore


@dataclass(frozen=True)
class Member:
    """A classifier that looks at the faces of an edit.

    Attributes:
        net: the classifier.
        targets: what each row is to show, int32 [rows], in its vocabulary.
        logits: compiled images [n, h, w, c] -> [n, k].
    """

    net: Restored
    targets: np.ndarray
    logits: Callable[[jax.Array | np.ndarray], jax.Array]

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Return the probability [rows] that it gives to each row's expression."""
        return np.asarray(search.probability(self.logits(images), jnp.asarray(self.targets)))

    def names(self, images: np.ndarray) -> np.ndarray:
        """Return whether its first guess is the row's expression, bool [rows]."""
        return np.asarray(self.logits(images)).argmax(1) == self.targets


@dataclass(frozen=True)
class Scene:
    """The networks of an edit and its faces: n of them for each expression, one expression after the other.

    Attributes:
        net: the StyleGAN2.
        wanted: the expressions.
        guides: classifiers whose gradient is followed.
        judge: an independent classifier; None for none.
        cvae: whose pictures pull; None for none.
        start: points [rows, layers, w] of the faces before; latents [rows, 1, z] in the space z.
        white: of styles, or latents.
        synthesise: points -> images near [-1, 1].
        images: compiled points -> images uint8 [rows, h, w, c].
    """

    net: Restored
    wanted: tuple[str, ...]
    guides: list[Member]
    judge: Member | None
    cvae: Restored | None
    start: jax.Array
    white: search.Whitening
    synthesise: Callable[[jax.Array], jax.Array]
    images: Callable[[jax.Array | np.ndarray], jax.Array]


def scene(
    reference: str,
    wanted: Sequence[str] | None,
    *,
    guides: Sequence[str],
    judge: str | None,
    cvae: str | None,
    start: str | Path | None,
    label: str | None,
    truncation: float | None,
    n: int,
    space: str,
    seed: int,
) -> Scene:
    """Restore the networks and make the faces; arguments and errors as of `fergen.train.editing.edit`."""
    net = stylegan2_of(reference)
    if wanted is None and not net.spec["conditional"]:
        raise BadInput(f"weights '{reference}' are unconditional: name the expressions to edit to")
    wanted = tuple(net.spec["classes"] if wanted is None else wanted)
    other = None if cvae is None else faces.generator(cvae)
    if other is not None and "relabel" not in other.predict:
        raise BadInput(f"weights '{cvae}': expected a cvae, found a {other.spec['task']}")
    if start is not None:
        if space == "z":
            raise BadInput(f"--from={start} with --space=z: projected faces have styles alone; take w or w+")
        begin = loaded(net, start)
        n = len(begin)
    else:
        labels = labels_in_turn(net, label, n)
        z = sampling.latents(net.predict, np.arange(n), seed=seed)
        shown = faces.resampled(net, truncation=truncation)
        begin = z[:, None] if space == "z" else jax.jit(shown.predict["styles"])(net.variables, z, labels)
    members = [member(name, wanted, n) for name in guides]
    witness = None if judge is None else member(judge, wanted, n)
    if witness is not None:
        require_independent(net, witness.net)
        for guide in members:
            # The guide's own weights, and its architecture: what it teaches convinces others of its kind.
            taught = {**guide.net.spec, **recorded("guide", {"guide": guide.net})}
            require_independent(replace(guide.net, spec=taught), witness.net)

    def synthesise(ws: jax.Array) -> jax.Array:
        return net.predict["synthesise"](net.variables, ws)

    def of_latents(points: jax.Array) -> jax.Array:
        of_rows = np.tile(labels, len(wanted))
        return synthesise(shown.predict["styles"](net.variables, points[:, 0], of_rows))

    if space == "z":
        white, make = search.Whitening(jnp.zeros(begin.shape[-1]), jnp.eye(begin.shape[-1])), of_latents
    else:
        white, make = search.whitening(many_styles(net, None)[:, 0]), synthesise
    rows = jnp.tile(begin, (len(wanted), 1, 1))
    images = jax.jit(lambda points: to_uint8(make(points).clip(-1, 1)))
    return Scene(net, wanted, members, witness, other, rows, white, make, images)


def member(reference: str, wanted: Sequence[str], n: int) -> Member:
    """Restore a classifier that is to see each of some expressions on n rows.

    Raises:
        BadInput: no such weights, other ones, or it does not know an expression.
    """
    found = restore(reference)
    require_classifier(found, f"weights '{reference}'")
    targets = np.repeat([index(found, name) for name in wanted], n).astype(np.int32)
    logits = jax.jit(found.predict["logits"])
    return Member(found, targets, lambda images: logits(found.variables, images))


def index(net: Restored, name: str) -> int:
    """Return the number of an expression among a network's classes.

    Raises:
        BadInput: it does not know it.
    """
    classes = list(net.spec["classes"])
    wanted = canonical(name) if name not in classes and is_known(name) else name
    if wanted not in classes:
        raise BadInput(f"unknown emotion '{name}': '{net.name}' knows {', '.join(classes)}")
    return classes.index(wanted)


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
