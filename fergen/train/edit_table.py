"""How often an independent judge sees the expression that faces were edited to, beside sampling and a CVAE."""

from collections.abc import Mapping

import numpy as np

from fergen.core.errors import BadInput
from fergen.metrics.proportion import wilson
from fergen.train import faces
from fergen.train.editing import Edited
from fergen.train.restore import Restored

# Kind of faces -> expression -> whether the judge's first guess on each face is the expression, bool [n].
Table = dict[str, dict[str, np.ndarray]]


def table(edited: Edited, *, seed: int = 0) -> Table:
    """Let the judge name the faces of an edit, and as many samples of the generator, and of the CVAE if there is one.

    Args:
        edited: faces moved to expressions that the generator, and the CVAE, can be asked for.
        seed: of the samples.

    Raises:
        BadInput: the edit had no judge, or a generator cannot be asked for an expression.
    """
    this, judge = edited.scene, edited.scene.judge
    if judge is None:
        raise BadInput("expected an edit with an independent judge, found none")
    n = len(edited.points) // len(this.wanted)

    def sampled(net: Restored) -> np.ndarray:
        images = faces.grid(net, this.wanted, columns=n, seed=seed)
        return images.reshape(-1, *images.shape[2:])

    shown = {"before": edited.frames[0], "sampled": sampled(this.net), "edited": edited.frames[-1]}
    if this.cvae is not None and edited.hybrid is not None:
        _, _, alone, hybrid = edited.hybrid.swapaxes(0, 1)
        shown |= {"edited": alone, "CVAE": sampled(this.cvae), "hybrid": hybrid}
    return {
        kind: dict(zip(this.wanted, np.split(judge.names(images), len(this.wanted)))) for kind, images in shown.items()
    }


def text(table: Mapping[str, Mapping[str, np.ndarray]]) -> str:
    """Lay out a table as Markdown: percentages, with 95 % intervals in the row of all."""
    rows = list(next(iter(table.values())))
    lines = ["| judge sees it, % | " + " | ".join(table) + " |", "|---" * (len(table) + 1) + "|"]
    for name in rows:
        lines.append(f"| {name} | " + " | ".join(f"{100 * kind[name].mean():.0f}" for kind in table.values()) + " |")
    cells = []
    for kind in table.values():
        hits = np.concatenate(list(kind.values()))
        low, high = wilson(int(hits.sum()), len(hits))
        cells.append(f"{100 * hits.mean():.1f} [{100 * low:.1f}, {100 * high:.1f}]")
    lines.append("| all | " + " | ".join(cells) + " |")
    return "\n".join(lines)
