"""Distillation: frozen classifiers whose mean answer is a part of what a classifier is trained towards.

Hinton, Vinyals, Dean 2015 (arXiv:1503.02531), section 2, at temperature 1; as in Beyer et al. 2022 (arXiv:2106.05237)
teachers see each image as the student does, changed and mixed. The cross-entropy with the mean of several teachers is
the distillation of their ensemble.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from fergen.core import fields
from fergen.core.errors import BadInput
from fergen.tasks.guide import columns_of
from fergen.tasks.private import asked
from fergen.tasks.state import Fixed


class Teacher(NamedTuple):
    """A frozen classifier.

    Attributes:
        role: by which its variables are found.
        logits: (variables, images) -> class logits [b, k].
        columns: int32, the student's classes among the teacher's.
    """

    role: str
    logits: Callable
    columns: np.ndarray


class Teachers(NamedTuple):
    """Several of them.

    Attributes:
        each: the teachers.
        weight: of their mean in the target, in (0, 1]; the labels have the rest.
    """

    each: tuple[Teacher, ...]
    weight: float

    def target(self, frozen: Mapping[str, Any], images: jax.Array, soft: jax.Array) -> jax.Array:
        """Return labels moved towards the teachers' mean probabilities, float32 [b, k].

        Args:
            frozen: role -> variables.
            images: float32 [b, h, w, c] in [-1, 1], as the student sees them.
            soft: float32 [b, k], the labels' distributions.
        """
        answers = [jax.nn.softmax(t.logits(frozen[t.role], images)[:, t.columns]) for t in self.each]
        return (1 - self.weight) * soft + self.weight * jnp.mean(jnp.stack(answers), 0)


def references(config) -> dict[str, str]:
    """Return role -> reference of a config's teachers.

    Raises:
        BadInput: teachers of private training, whose guarantee does not cover what they have seen.
    """
    named = tuple(config.teachers.references)
    if named and asked(config):
        raise BadInput(
            f"--config.teachers.references={','.join(named)} with privacy: expected none, for what teachers have seen"
            " of the training set goes into the weights"
        )
    return {f"teacher{i}": reference for i, reference in enumerate(named, 1)}


def teachers_of(config, classes: Sequence[str], fixed: Mapping[str, Fixed]) -> Teachers | None:
    """Build the teachers of a config; None where it names none.

    Args:
        config: its group `teachers`: references and weight.
        classes: the student's.
        fixed: the networks of `references`.

    Raises:
        BadInput: a weight out of range, a network that is no classifier, or one that lacks a class.
    """
    each = []
    for role in references(config):
        net = fixed[role]
        columns = columns_of("teacher", "teachers.references", net, classes)
        each.append(Teacher(role, net.predict["logits"], columns))
    if not each:
        return None
    weight = fields.number("teachers.weight", config.teachers.weight, 0, 1)
    if not weight:
        raise BadInput("--config.teachers.weight=0 with --config.teachers.references: expected a share above 0")
    return Teachers(tuple(each), weight)
