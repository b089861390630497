"""Projection: the style and the noise under which a StyleGAN2 makes a given image.

Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN" (arXiv:1912.04958), appendix D: styles are
optimised by Adam from the mean style, with noise on them that fades, while the layers' noise is optimised too and kept
without structure. Any number of images is projected at once; each has a loss of its own.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from fergen.core.errors import BadInput
from fergen.core.keys import named

SPACES = ("w", "w+")

# styles [n, layers, w], noise per layer [n, h, w, 1] -> images [n, h, w, c] in [-1, 1].
Synthesise = Callable[[jax.Array, list[jax.Array]], jax.Array]
# images [n, h, w, c] -> the distance of each to its target, [n].
Distance = Callable[[jax.Array], jax.Array]


@dataclass(frozen=True)
class Settings:
    """How styles are searched for; the values are the paper's.

    Attributes:
        space: "w", one style for all layers, or "w+", one for each.
        steps: of Adam.
        rate: of learning, at its highest.
        rise: share of the steps over which the rate rises.
        fall: share of the steps over which it falls, at the end.
        jitter: of the noise on styles at first, in standard deviations of styles.
        calm: share of the steps after which there is none.
        noise: weight of the regulariser of the layers' noise.
    """

    space: str = "w"
    steps: int = 1000
    rate: float = 0.1
    rise: float = 0.05
    fall: float = 0.25
    jitter: float = 0.05
    calm: float = 0.75
    noise: float = 1e5


class State(NamedTuple):
    """Where a search is: the number of the step, styles [n, 1 or layers, w], noise per layer, Adam's moments."""

    step: jax.Array
    w: jax.Array
    noise: list[jax.Array]
    moments: Any


class Projection(NamedTuple):
    """What was found.

    Attributes:
        ws: styles [n, layers, w].
        noise: per layer, [n, h, w, 1].
        distances: of each image to its target, [n], at the end.
        images: [n, h, w, c] in [-1, 1].
    """

    ws: np.ndarray
    noise: list[np.ndarray]
    distances: np.ndarray
    images: np.ndarray


def style_statistics(styles: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the mean of styles [n, w] and the root of their mean squared distance to it."""
    mean = styles.mean(0)
    return mean, jnp.sqrt(jnp.square(styles - mean).sum() / len(styles))


def noise_penalty(noise: list[jax.Array]) -> jax.Array:
    """Return how far each image's noise is from white: [n], of noise per layer [n, h, w, 1].

    The squared means of products of neighbours, in both directions, of the noise and of its halves in resolution down
    to 8 pixels (appendix D, the sum over L_i,j).
    """
    total = jnp.zeros(len(noise[0]), noise[0].dtype)
    for x in noise:
        while True:
            for axis in (1, 2):
                total += jnp.square((x * jnp.roll(x, 1, axis)).mean((1, 2, 3)))
            if x.shape[1] <= 8:
                break
            n, h, w, c = x.shape
            x = x.reshape(n, h // 2, 2, w // 2, 2, c).mean((2, 4))
    return total


def whitened(x: jax.Array) -> jax.Array:
    """Bring each image's noise [n, h, w, 1] to mean 0 and mean square 1."""
    x = x - x.mean((1, 2, 3), keepdims=True)
    return x * jax.lax.rsqrt(jnp.square(x).mean((1, 2, 3), keepdims=True))


def start(w: jax.Array, noise: list[jax.Array]) -> State:
    """Begin at styles [n, 1 or layers, w] and noise per layer [n, h, w, 1]."""
    return State(jnp.zeros((), jnp.int32), w, noise, optax.scale_by_adam().init((w, noise)))


def update(
    state: State,
    jitter: jax.Array,
    *,
    synthesise: Synthesise,
    distance: Distance,
    layers: int,
    spread: jax.Array,
    settings: Settings,
) -> tuple[State, jax.Array]:
    """Take one step.

    Args:
        state: where the search is.
        jitter: standard normal numbers of the shape of its styles.
        synthesise: see `Synthesise`.
        distance: see `Distance`.
        layers: that a style of "w" is repeated for.
        spread: of styles, from `style_statistics`.
        settings: of the search.

    Returns:
        The state after the step, and the distances [n] before it.
    """
    # In the precision of the styles, that a replay in double precision is one.
    t = state.step.astype(state.w.dtype) / settings.steps
    strength = spread * settings.jitter * jnp.maximum(0.0, 1 - t / settings.calm) ** 2
    rate = 0.5 - 0.5 * jnp.cos(math.pi * jnp.minimum(1.0, (1 - t) / settings.fall))
    rate = settings.rate * rate * jnp.minimum(1.0, t / settings.rise)

    def loss(variables: tuple) -> tuple[jax.Array, jax.Array]:
        w, noise = variables
        ws = w + jitter * strength
        ws = jnp.broadcast_to(ws, (len(ws), layers, ws.shape[-1]))
        found = distance(synthesise(ws, noise))
        return (found + settings.noise * noise_penalty(noise)).sum(), found

    variables = (state.w, state.noise)
    grads, found = jax.grad(loss, has_aux=True)(variables)
    updates, moments = optax.scale_by_adam().update(grads, state.moments)
    w, noise = jax.tree.map(lambda x, change: x - rate * change, variables, updates)
    return State(state.step + 1, w, [whitened(x) for x in noise], moments), found


def project(
    synthesise: Synthesise,
    distance: Distance,
    *,
    centre: np.ndarray,
    spread: float,
    layers: int,
    noise_sizes: tuple[int, ...],
    seed: int = 0,
    settings: Settings = Settings(),  # noqa: B008 (frozen)
    advance: Callable[[int], None] | None = None,
) -> Projection:
    """Search for the styles of images.

    Args:
        synthesise: see `Synthesise`.
        distance: see `Distance`; one target for each row.
        centre: where each begins, float32 [n, w]: the mean style, of a conditional network that of the label's class.
        spread: of styles, from `style_statistics`.
        layers: styles that an image takes.
        noise_sizes: resolutions of the layers' noise.
        seed: of noise and jitter; row i's are the same however many rows there are.
        settings: of the search.
        advance: called with the number of steps done since the last call.

    Raises:
        BadInput: the space is unknown or there is no step.
    """
    if settings.space not in SPACES or settings.steps < 1:
        raise BadInput(
            f"expected a space of {', '.join(SPACES)} and a step at least, found {settings.space!r}, {settings.steps}"
        )
    n, width = centre.shape
    repeated = layers if settings.space == "w+" else 1
    rows = jax.vmap(lambda i: jax.random.fold_in(named(jax.random.key(seed), "projection"), i))(jnp.arange(n))

    def drawn(name: str, shape: tuple[int, ...]) -> jax.Array:
        return jax.vmap(lambda key: jax.random.normal(named(key, name), shape))(rows)

    noise = [drawn(f"noise/{i}", (size, size, 1)) for i, size in enumerate(noise_sizes)]
    state = start(jnp.repeat(jnp.asarray(centre)[:, None], repeated, axis=1), noise)

    @jax.jit
    def step(state: State) -> tuple[State, jax.Array]:
        keys = jax.vmap(lambda key: jax.random.fold_in(named(key, "jitter"), state.step))(rows)
        jitter = jax.vmap(lambda key: jax.random.normal(key, (repeated, width)))(keys)
        return update(
            state,
            jitter,
            synthesise=synthesise,
            distance=distance,
            layers=layers,
            spread=jnp.asarray(spread),
            settings=settings,
        )

    for _ in range(settings.steps):
        state, found = step(state)
        found.block_until_ready()  # steps in flight are not done
        if advance:
            advance(1)
    ws = jnp.broadcast_to(state.w, (n, layers, width))
    images = jax.jit(synthesise)(ws, state.noise)
    found = jax.jit(distance)(images)
    return Projection(
        np.asarray(ws), [np.asarray(x) for x in state.noise], np.asarray(found), np.asarray(images.clip(-1, 1))
    )
