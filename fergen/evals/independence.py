"""A judge must be independent of the generator that it scores: no weights in common, no architecture of its teachers.

A generator trained against a network learns what convinces that network, a copy of it, or one that was trained from
it. Data in common are no fault: judge and generator may have learned from the same faces.
"""

from typing import Any

from fergen.core.errors import BadInput

# The parts that a fixed classifier may take in how a generator's faces come about, by their names in its spec.
TEACHERS = ("guide", "perceptual", "maps", "search")


def require_independent(generator: Any, judge: Any) -> None:
    """Check that a judge may score a generator.

    Args:
        generator: restored weights: `.name`, `.hash`, `.lineage`, `.spec` with `guide` where one took part.
        judge: restored classifier: `.name`, `.hash`, `.lineage`, `.spec["model"]["name"]`.

    Raises:
        BadInput: weights went into both, or the judge is of the guide's architecture; names them.
    """
    ours, theirs = _weights(judge), _weights(generator)
    if shared := sorted(set(ours) & set(theirs)):
        what = ", ".join(f"{ours[digest]} ({digest[:12]})" for digest in shared)
        raise BadInput(
            f"judge '{judge.name}' is not independent of generator '{generator.name}': expected no weights in common,"
            f" found {what}; take a judge that was trained without them"
        )
    for role in TEACHERS:
        teacher = generator.spec.get(role)
        if teacher and teacher["model"]["name"] == judge.spec["model"]["name"]:
            raise BadInput(
                f"judge '{judge.name}' is not independent of generator '{generator.name}': expected another"
                f" architecture than that of its {role} '{teacher['name']}', found {judge.spec['model']['name']} too;"
                " take a judge of another model"
            )


def _weights(member: Any) -> dict[str, str]:
    """Return the weights that went into a network, itself included: hash -> name."""
    return {**member.lineage.get("weights", {}), member.hash: member.name}
