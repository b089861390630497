"""The emotion-consistency term of every generator: the cross-entropy of a frozen classifier on generated images.

The classifier sees each image under random changes. What persuades a network in one view alone is a texture rather than
an expression, and another network, the judge, does not see it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from fergen.augment import pipeline
from fergen.core import fields
from fergen.core.errors import BadInput
from fergen.data.vocabulary import mapping
from fergen.losses.classification import cross_entropy
from fergen.tasks.state import Fixed, require_classifier

# Changes that leave an expression as it is, and textures not; see `fergen.augment.pipeline.Settings`.
VIEWS = {"flip": 0.5, "rotate": 10.0, "scale": 0.1, "translate": 0.05, "brightness": 0.1, "contrast": 0.2, "noise": 0.1}
seen = pipeline.build(VIEWS)


class Guide(NamedTuple):
    """A frozen classifier that tells a generator how its images read.

    Attributes:
        logits: (variables, images) -> class logits [b, k].
        labels: int32, the generator's labels in the guide's vocabulary.
        weight: of the term in the generator's loss.
    """

    logits: Callable
    labels: np.ndarray
    weight: float

    def losses(self, key: jax.Array, variables: Any, images: jax.Array, labels: jax.Array) -> jax.Array:
        """Compute each image's cross-entropy, float32 [b].

        Args:
            key: of the views.
            variables: of the guide.
            images: float32 [b, h, w, c] in [-1, 1].
            labels: int32 [b], what was asked for, in the generator's vocabulary.
        """
        wanted = jnp.asarray(self.labels)[labels]
        images, _ = seen(key, images, jnp.zeros((len(images), 1)))
        return cross_entropy(self.logits(variables, images), wanted)

    def loss(self, key: jax.Array, variables: Any, images: jax.Array, labels: jax.Array) -> jax.Array:
        """Compute weight x mean cross-entropy; arguments as in `losses`."""
        return self.weight * self.losses(key, variables, images, labels).mean()


def references(config) -> dict[str, str]:
    """Return {"guide": reference} where `config.guide` names one."""
    return {"guide": config.guide.reference} if config.guide.reference else {}


def guide_of(config, spec: Mapping[str, Any], fixed: Mapping[str, Fixed]) -> Guide | None:
    """Build the guide of a config; None where it asks for none.

    Args:
        config: its group `guide`: reference and weight.
        spec: of the generator: classes, conditional.
        fixed: the networks of `references`.

    Raises:
        BadInput: a reference without weight or the reverse, an unconditional generator, a network that is no
            classifier, or one that lacks a class.
    """
    guide, weight = fixed.get("guide"), fields.number("guide.weight", config.guide.weight)
    if guide is None and not weight:
        return None
    if guide is None or not weight:
        raise BadInput(
            f"--config.guide.reference='{config.guide.reference}' with --config.guide.weight={weight:g}: expected a"
            " reference and a weight above 0, or neither"
        )
    if not spec["conditional"]:
        raise BadInput(
            f"--config.guide.reference={guide.name}: an unconditional generator has no labels to be guided to"
        )
    return Guide(guide.predict["logits"], columns_of("guide", "guide.reference", guide, spec["classes"]), weight)


def columns_of(role: str, field: str, net: Fixed, classes: Sequence[str]) -> np.ndarray:
    """Return where a frozen classifier has each of the given classes: int32 [k].

    Args:
        role: what it is, a guide or a teacher.
        field: of the config, that names it.
        net: the classifier.
        classes: k names.

    Raises:
        BadInput: it is no classifier, or lacks a class.
    """
    require_classifier(net, f"--config.{field}={net.name}")
    columns = mapping(classes, net.spec["classes"])
    lacking = [name for name, column in zip(classes, columns) if column < 0]
    if lacking:
        raise BadInput(
            f"--config.{field}={net.name}: the {role} knows {', '.join(net.spec['classes'])}, not"
            f" {', '.join(lacking)}; take another {role} or --config.data.vocabulary"
        )
    return columns
