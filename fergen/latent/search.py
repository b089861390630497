"""Guided search: styles near a start whose face convinces classifiers of an expression.

The generator stays as it is; the gradient of frozen classifiers moves a style. What pleases a classifier need not be an
expression, so it is held on three sides: the style stays where the mapping network puts styles (its distance to their
mean, in coordinates in which they are white), the face stays the same person (a distance of features), and the way
stays short. The classifiers see each face under random changes, and there may be several of them: what persuades one
network in one view is a texture (Athalye et al. 2018, arXiv:1707.07397, section 3: the expectation over changes).

In the hybrid of CVAE and StyleGAN an image pulls too: the CVAE knows what the expression looks like on this face, but
draws it softly; the distance to its picture, at a low resolution, says where to go, and StyleGAN supplies the detail.

Any number of faces is searched for at once; each has a loss of its own and is the same face alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from fergen.core.errors import BadInput
from fergen.core.keys import named

# Where moves are made: in latents, in styles alike for all layers, in each layer's style.
SPACES = ("z", "w", "w+")

# points [n, layers, w] (latents: [n, 1, z]) -> images [n, h, w, c] near [-1, 1].
Synthesise = Callable[[jax.Array], jax.Array]
# images [n, h, w, c] in [-1, 1] -> class logits [n, k].
Guide = Callable[[jax.Array], jax.Array]
# images [n, h, w, c] in [-1, 1] -> features [n, d].
Features = Callable[[jax.Array], jax.Array]
# (key, images) -> images, changed at random.
Views = Callable[[jax.Array, jax.Array], jax.Array]
# images [n, h, w, c] in [-1, 1] -> the distance of each to the image that pulls it, [n].
Pull = Callable[[jax.Array], jax.Array]


@dataclass(frozen=True)
class Settings:
    """How styles are searched for.

    Attributes:
        space: "w", one move for all layers, "w+", one for each, or "z", where points are latents.
        steps: of Adam.
        rate: of learning, in standard deviations of styles.
        guide: weight of the guides' cross-entropy.
        realism: weight of the squared distance to the mean style in white coordinates, a mean over entries.
        identity: weight of the distance between the face's features and those at the start, 1 less their cosine.
        size: weight of the squared move, in white coordinates, a mean over entries.
        pull: weight of the distance to the image that pulls, where there is one.
        views: changed copies of a face that each guide sees in a step.
    """

    space: str = "w"
    steps: int = 50
    rate: float = 0.05
    guide: float = 1.0
    realism: float = 0.1
    identity: float = 1.0
    size: float = 0.1
    pull: float = 2.0
    views: int = 4


class Whitening(NamedTuple):
    """The mean of styles [w], and a matrix [w, w] that brings them to unit covariance."""

    mean: jax.Array
    matrix: jax.Array

    def __call__(self, points: jax.Array) -> jax.Array:
        """Return points [..., w] in white coordinates."""
        return (points - self.mean) @ self.matrix

    def back(self) -> jax.Array:
        """Return the matrix [w, w] that brings moves in white coordinates to moves of points."""
        return jnp.linalg.pinv(self.matrix)


class State(NamedTuple):
    """Where a search is: the number of the step, moves [n, 1 or layers, w] in white coordinates, Adam's moments."""

    step: jax.Array
    moves: jax.Array
    moments: Any


def whitening(styles: jax.Array) -> Whitening:
    """Return the whitening of styles [n, w], n above w; directions without spread are left out."""
    mean = styles.mean(0)
    values, vectors = jnp.linalg.eigh(jnp.cov(styles.T))
    scale = jnp.where(values > 1e-6 * values.max(), 1 / jnp.sqrt(jnp.maximum(values, 1e-12)), 0.0)
    return Whitening(mean, (vectors * scale) @ vectors.T)


def distance(ours: jax.Array, theirs: jax.Array) -> jax.Array:
    """Return 1 less the cosine of each pair of features [n, d]."""
    norms = jnp.linalg.norm(ours, axis=-1) * jnp.linalg.norm(theirs, axis=-1)
    return 1 - (ours * theirs).sum(-1) / jnp.maximum(norms, 1e-12)


class Descent(NamedTuple):
    """A search, step by step: where it begins, State -> State, and State -> points [n, layers, w]."""

    begin: State
    update: Callable[[State], State]
    points: Callable[[State], jax.Array]


def descent(
    synthesise: Synthesise,
    guides: Sequence[Guide],
    *,
    start: jax.Array,
    targets: Sequence[jax.Array],
    white: Whitening,
    views: Views,
    keys: jax.Array,
    features: Features | None = None,
    pull: Pull | None = None,
    settings: Settings = Settings(),  # noqa: B008 (frozen)
) -> Descent:
    """Return the search for the faces of a target expression near a start, as functions to compile.

    Args:
        synthesise: see `Synthesise`.
        guides: see `Guide`; their cross-entropies are averaged.
        start: points [n, layers, w].
        targets: for each guide, the class int32 [n] of each row in its vocabulary.
        white: of the generator's styles, or latents.
        views: see `Views`.
        keys: random keys [n], of each row's views.
        features: see `Features`; None leaves identity out.
        pull: see `Pull`; None for none.
        settings: of the search; `steps` is the caller's.

    Raises:
        BadInput: the space is unknown, there is no guide, step or view.
    """
    if settings.space not in SPACES or min(settings.steps, settings.views, len(guides)) < 1:
        raise BadInput(
            f"expected a space of {', '.join(SPACES)}, a guide, a step and a view at least, found {settings.space!r},"
            f" {len(guides)}, {settings.steps}, {settings.views}"
        )
    n, layers, width = start.shape
    back = white.back()

    def points(moves: jax.Array) -> jax.Array:
        return start + jnp.broadcast_to(moves @ back, start.shape)

    def face(moves: jax.Array) -> jax.Array:
        return synthesise(points(moves)).clip(-1, 1)

    own = None
    if features is not None:
        own = jax.jit(features)(jax.jit(face)(jnp.zeros((n, 1, width))))

    def seen(step: jax.Array, images: jax.Array) -> jax.Array:
        """Return views [n, views, h, w, c], each row's from its own key."""

        def one(key: jax.Array, image: jax.Array) -> jax.Array:
            each = jax.random.split(jax.random.fold_in(key, step), settings.views)
            return jax.vmap(lambda key: views(key, image[None])[0])(each)

        return jax.vmap(one)(keys, images)

    def loss(moves: jax.Array, step: jax.Array) -> jax.Array:
        images = face(moves)
        copies = seen(step, images)
        flat = copies.reshape(-1, *copies.shape[2:])
        total = jnp.zeros(n)
        for guide, target in zip(guides, targets, strict=True):
            logs = jax.nn.log_softmax(guide(flat)).reshape(n, settings.views, -1)
            own_class = jnp.take_along_axis(logs, target[:, None, None], axis=2)[..., 0].mean(1)
            total -= settings.guide * own_class / len(guides)
        total += settings.realism * jnp.square(white(start) + moves).mean((1, 2))
        total += settings.size * jnp.square(moves).mean((1, 2))
        if features is not None and own is not None:
            total += settings.identity * distance(features(images), own)
        if pull is not None:
            total += settings.pull * pull(images)
        return total.sum()

    def update(state: State) -> State:
        grads = jax.grad(loss)(state.moves, state.step)
        updates, moments = optax.scale_by_adam().update(grads, state.moments)
        moves = jax.tree.map(lambda x, change: x - settings.rate * change, state.moves, updates)
        return State(state.step + 1, moves, moments)

    moves = jnp.zeros((n, layers if settings.space == "w+" else 1, width))
    begin = State(jnp.zeros((), jnp.int32), moves, optax.scale_by_adam().init(moves))
    return Descent(begin, update, lambda state: points(state.moves))


def search(
    *networks: Any,
    start: jax.Array,
    seed: int = 0,
    settings: Settings = Settings(),  # noqa: B008 (frozen)
    advance: Callable[[int], None] | None = None,
    **options: Any,
) -> np.ndarray:
    """Search for the faces of a target expression near a start.

    Args:
        *networks: synthesise and guides, as `descent` takes them.
        start: points [n, layers, w].
        seed: of the views; row i's are the same however many rows there are.
        settings: of the search.
        advance: called with the number of steps done since the last call.
        **options: what else `descent` takes.

    Returns:
        Points [steps + 1, n, layers, w], at the start and after each step.

    Raises:
        BadInput: as `descent`.
    """
    keys = jax.vmap(lambda i: jax.random.fold_in(named(jax.random.key(seed), "search"), i))(jnp.arange(len(start)))
    found = descent(*networks, start=start, keys=keys, settings=settings, **options)
    update, state = jax.jit(found.update), found.begin
    way = [state]
    for _ in range(settings.steps):
        state = jax.block_until_ready(update(state))  # steps in flight are not done
        way.append(state)
        if advance:
            advance(1)
    return np.stack([np.asarray(found.points(state)) for state in way])


def probability(logits: jax.Array, target: jax.Array) -> jax.Array:
    """Return the probability [n] that logits [n, k] give to the classes target [n]."""
    return jnp.take_along_axis(jax.nn.softmax(logits), target[:, None], axis=1)[:, 0]
