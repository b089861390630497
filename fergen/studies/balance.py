"""Rare classes filled up with synthetic faces, against weights, balanced sampling and plain augmentation.

The augmentation study filled FER2013's rare classes by a GAN, and reported accuracy alone: here stands what each remedy
does to every class.
"""

import math

from fergen.core.errors import BadInput
from fergen.data import dataset
from fergen.show import bars
from fergen.studies import reporting, summary, synthetic
from fergen.studies.runs import Outcome, Study

MARGIN = 1.15  # of faces made over faces wanted: a tenth of a set becomes its validation


def run(study: Study) -> Outcome:
    """Run the study."""
    config = study.config
    dataset.draw_procedural(config.data, quiet=study.quiet)
    spec = dataset.spec_of(config.data)
    labels = dataset.load(config.data, "train", images=False).labels
    counts = {name: int((labels == c).sum()) for c, name in enumerate(spec.classes)}
    missing = lacking(counts, config.fill)
    if not missing:
        raise BadInput(
            f"--config.fill={config.fill}: no class of {config.data} has less than this share of the largest"
        )
    weights = synthetic.generators(study)
    sets = synthetic.make(
        study,
        {
            name: synthetic.made(
                study, f"{name} fill", ref, spec.image_shape,
                labels={c: math.ceil(MARGIN * n) + 10 for c, n in missing.items()}, flags=config.sampling,
            )
            for name, ref in weights.items()
        },
    )  # fmt: skip
    arms: dict[str, tuple[str, ...]] = {
        "as it is": (),
        "class weights": ("loss.class_weights=balanced",),
        "balanced sampling": ("data.balance=True",),
        "no augmentation": tuple(config.plain),
        "stronger augmentation": tuple(config.stronger),
    } | {f"filled by {name}": (f"data.add={made}*{sum(missing.values())}",) for name, made in sets.items()}
    rows = study.compare(study.trainings(arms, config.classifier))
    summary.require_some(rows, "balance")
    recalls = {f"{name}, {counts[name]:,}": f"recall/{name}" for name in spec.classes}
    measures = {"accuracy, %": "accuracy", "macro-F1, %": "macro_f1", "macro recall, %": "macro_recall"}
    table = summary.table(rows, measures | recalls, head="training set")
    page = reporting.begin(study, "Rare classes", (
        f"One network (`{config.classifier}`), {config.steps:,} steps, the training set as it is and under each remedy."
        f" The generators added {', '.join(f'{n:,} {name}' for name, n in missing.items())}."
        f" Tested on the split `{config.split}`; the last columns are the recall of each class, with the training faces"
        " that it has."
    ))  # fmt: skip
    page.section("Before and after")
    page.table(table)
    page.section("Rare classes at a glance")
    rare = sorted(missing, key=lambda name: counts[name])[:3]
    spreads = {
        name: [summary.spread(runs, f"recall/{name}")[:2] for runs in summary.by_arm(rows).values()] for name in rare
    }
    picture = study.workdir / "pictures" / "rare.png"
    page.picture(bars.draw(list(arms), spreads, picture, x="recall"), caption="Mean and sd over seeds.")
    return reporting.end(study, page, table=table, rows=rows)


def lacking(counts: dict[str, int], fill: float) -> dict[str, int]:
    """Return how many faces each class lacks to a share of the largest: class -> number.

    Args:
        counts: class -> training faces.
        fill: the share, in (0, 1].
    """
    wanted = round(fill * max(counts.values()))
    return {name: wanted - n for name, n in counts.items() if n < wanted}
