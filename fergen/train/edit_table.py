"""How often an independent judge sees the expression that faces were edited to, beside sampling and a CVAE."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fergen.core.arrays import to_uint8
from fergen.core.errors import BadInput
from fergen.metrics.proportion import wilson
from fergen.train import faces
from fergen.train.edit_scene import classifier, index, named_by
from fergen.train.editing import edit
from fergen.train.projecting import stylegan2_of

# Columns: what the faces of a row are.
BEFORE, SAMPLED, EDITED, CVAE, HYBRID = "before", "sampled", "edited", "CVAE", "hybrid"


def every_emotion(
    reference: str, *, judge: str, n: int = 32, cvae: str | None = None, seed: int = 0, **options: Any
) -> tuple[dict[str, dict[str, list[bool]]], np.ndarray]:
    """Edit the same faces to every expression, and let the judge say what it sees.

    Args:
        reference: weights of a StyleGAN2.
        judge: an independent classifier.
        n: faces before.
        cvae: weights of a CVAE, for its own samples and for the hybrid; None for none.
        seed: of all faces.
        **options: of `fergen.train.editing.edit`.

    Returns:
        emotion -> column -> whether the judge's first guess is the emotion, for each of n faces; and the faces, uint8
        [n, 1 + emotions, h, w, c], before and edited to each.

    Raises:
        BadInput: as `edit`, or the generator knows no emotions.
    """
    net, witness = stylegan2_of(reference, truncation=options.get("truncation")), classifier(judge)
    if not net.spec["conditional"]:
        raise BadInput(f"weights '{reference}' are unconditional: name the expressions to edit to, one by one")
    other = None if cvae is None else faces.generator(cvae)
    table, columns = {}, []
    for emotion in net.spec["classes"]:
        made = edit(reference, emotion, judge=judge, n=n, cvae=cvae, seed=seed, **options)
        columns += [made.frames[-1]] if columns else [made.frames[0], made.frames[-1]]
        # The hybrid's search without pull is the edit of the other generators' kind.
        plain = made.frames[-1] if made.hybrid is None else made.hybrid[:, 2]
        shown = {BEFORE: made.frames[0], SAMPLED: samples(net, emotion, len(plain), seed), EDITED: plain}
        if other is not None and made.hybrid is not None:
            shown |= {CVAE: samples(other, emotion, len(plain), seed), HYBRID: made.hybrid[:, 3]}
        table[emotion] = {name: named_by(witness, images, emotion) for name, images in shown.items()}
    return table, np.stack(columns, axis=1)


def samples(net: Any, emotion: str, n: int, seed: int) -> np.ndarray:
    """Return n of a generator's own faces of an expression, uint8 [n, h, w, c]; edits begin at other latents."""
    key = jax.random.fold_in(jax.random.key(seed, impl="threefry2x32"), 1)
    z = jax.vmap(net.predict["draw"])(jax.random.split(key, n))
    labels = jnp.full(n, index(net, emotion))
    return np.asarray(to_uint8(jax.jit(net.predict["sample"])(net.variables, z, labels)))


def text(table: Mapping[str, Mapping[str, Sequence[bool]]]) -> str:
    """Lay out a table of `every_emotion` as Markdown: percentages, with 95 % intervals in the row of all."""
    columns = list(next(iter(table.values())))
    lines = ["| judge sees it, % | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for emotion, row in table.items():
        lines.append(f"| {emotion} | " + " | ".join(f"{100 * np.mean(row[name]):.0f}" for name in columns) + " |")
    cells = []
    for name in columns:
        hits = np.concatenate([row[name] for row in table.values()])
        low, high = wilson(int(hits.sum()), len(hits))
        cells.append(f"{100 * hits.mean():.1f} [{100 * low:.1f}, {100 * high:.1f}]")
    lines.append("| all | " + " | ".join(cells) + " |")
    return "\n".join(lines)
