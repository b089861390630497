"""A StyleGAN2 and the classifiers that look at its faces, compiled once for every search to come."""

import dataclasses
from collections.abc import Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fergen.core.errors import BadInput
from fergen.core.keys import named
from fergen.evals import sampling
from fergen.latent import search
from fergen.live.classifier import Classifier
from fergen.tasks.guide import seen
from fergen.train import faces, feature_spaces
from fergen.train.edit_scene import Member, Scene, index, scene
from fergen.train.projecting import labels_in_turn
from fergen.train.weights import shipped

JUDGE = "fer2013_judge"  # sees the faces and is not followed


class Editor:
    """Searches in the space of styles, one face at a time.

    Args:
        classifier: whose gradient is followed.
        reference: a StyleGAN2.

    Raises:
        BadInput: it is none, or it is damaged.
    """

    def __init__(self, classifier: Classifier, reference: str):
        self.scene = watched(classifier, reference)
        self.space = feature_spaces.load(f"lite0@{max(self.scene.net.spec['image']['height'], 32)}")
        self._begin, self._update = jax.jit(self._started), jax.jit(self._advanced)
        # The last truncation's function from latents to styles.
        self.styles: tuple[float, Any] | None = None

    @property
    def members(self) -> list[Member]:
        """The classifier that is followed, and the judge if there is one."""
        return [*self.scene.guides, *([self.scene.judge] if self.scene.judge is not None else [])]

    def probabilities(self, image: np.ndarray, target: str) -> list[float]:
        """Return the probability that each of `members` gives to an expression on an image uint8 [1, h, w, c].

        Raises:
            BadInput: one does not know it.
        """
        aimed = (dataclasses.replace(who, targets=_number(who, target)) for who in self.members)
        return [float(who.probabilities(image)[0]) for who in aimed]

    def walk(
        self, begin: str | None, target: str, *, seed: int, truncation: float, steps: int, identity: float
    ) -> Iterator[np.ndarray]:
        """Search, and yield the face uint8 [1, h, w, c] at the start and after each step.

        Args:
            begin: the expression of the face to begin at; None where the generator knows none.
            target: the expression to reach.
            seed: of the face and of the guide's views.
            truncation: of the face.
            steps: of the search.
            identity: weight of staying the same person.

        Raises:
            BadInput: generator or classifier do not know an expression.
        """
        targets = jnp.asarray(_number(self.scene.guides[0], target))
        start = self._start(begin, seed, truncation)
        key = jax.random.fold_in(named(jax.random.key(seed), "search"), 0)[None]
        given = (start, targets, key, jnp.float32(identity))
        state, points = self._begin(*given)
        yield np.asarray(self.scene.images(points))
        for _ in range(steps):
            state, points = self._update(state, *given)
            yield np.asarray(self.scene.images(points))

    def _start(self, begin: str | None, seed: int, truncation: float) -> jax.Array:
        net = self.scene.net
        if self.styles is None or self.styles[0] != truncation:
            shown = faces.resampled(net, truncation=truncation)
            self.styles = truncation, jax.jit(partial(shown.predict["styles"], net.variables))
        z = sampling.latents(net.predict, np.arange(1), seed=seed)
        return self.styles[1](z, labels_in_turn(net, begin, 1))

    def _descent(self, start: jax.Array, targets: jax.Array, keys: jax.Array, identity: Any) -> search.Descent:
        return search.descent(
            self.scene.synthesise,
            [self.scene.guides[0].logits],
            start=start,
            targets=[targets],
            white=self.scene.white,
            views=lambda key, x: seen(key, x, jnp.zeros((len(x), 1)))[0],
            keys=keys,
            features=lambda x: self.space.fn(self.space.variables, x),
            settings=search.Settings(identity=identity),
        )

    def _started(self, *given: Any) -> tuple[search.State, jax.Array]:
        found = self._descent(*given)
        return found.begin, found.points(found.begin)

    def _advanced(self, state: search.State, *given: Any) -> tuple[search.State, jax.Array]:
        found = self._descent(*given)
        state = found.update(state)
        return state, found.points(state)


def watched(classifier: Classifier, reference: str) -> Scene:
    """Return the networks of the searches.

    The shipped judge looks on where it is independent of guide and generator, and nobody else does.

    Raises:
        BadInput: the reference is no StyleGAN2.
    """
    options: dict[str, Any] = {
        "guides": [classifier.name], "cvae": None, "start": None, "label": None, "truncation": None, "n": 1,
        "space": "w", "seed": 0,
    }  # fmt: skip
    wanted = classifier.classes[:1]
    try:
        return scene(reference, wanted, judge=JUDGE if JUDGE in shipped() else None, **options)
    except BadInput:
        return scene(reference, wanted, judge=None, **options)


def _number(who: Member, target: str) -> np.ndarray:
    return np.array([index(who.net, target)], np.int32)
