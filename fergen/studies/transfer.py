"""What classifiers learn from synthetic faces: trained on real, synthetic or both, all tested on the same real faces.

The study of synthetic training data for expression recognition found a CNN at .61 from real faces, .29 from
StyleGAN2-ADA's, and less from twice as many. It asked whether they overfit: here every arm takes the same number of
steps, and is measured on held-out faces of its own kind too.
"""

import shlex
from typing import Any

from fergen.core.fields import pairs
from fergen.data import dataset
from fergen.show import lines
from fergen.studies import reporting, summary, synthetic
from fergen.studies.runs import Measured, Member, Outcome, Study, slug

MEASURES = {
    "accuracy, %": "accuracy",
    "F1, %": "macro_f1",
    "AUROC, %": "auroc",
    "precision, %": "macro_precision",
    "recall, %": "macro_recall",
}
KEPT = 0.85
"""Of a synthetic set's faces at least this share is training rows; the rest is its validation."""


def run(study: Study) -> Outcome:
    """Run the study."""
    config = study.config
    dataset.draw_procedural(config.data, quiet=study.quiet)
    spec = dataset.spec_of(config.data)
    real = spec.splits["train"]
    weights = synthetic.generators(study)
    variants = {name: shlex.split(flags) for name, flags in pairs("variants", config.variants).items()}
    # How many faces of each variant, as multiples of the real ones; without `times` no arm asks for others than plain.
    amounts = {name: config.times[0] for name in variants if name != "plain" and config.times}
    if "plain" in variants:
        amounts["plain"] = max((*config.times, *config.ratios))
    sets = synthetic.make(
        study,
        {
            (name, variant): synthetic.made(
                study, f"{name} {variant}".strip(), ref, spec.image_shape, flags=variants[variant],
                n=round(real * amounts[variant] / KEPT) + 50,
            )
            for name, ref in weights.items() for variant in variants if variant in amounts
        },
    )  # fmt: skip
    rows = study.compare(members(study, sets, real))
    summary.require_some(rows, "transfer")
    return report(study, rows, weights)


def arms(study: Study, sets: dict[tuple[str, str], str], real: int) -> dict[str, tuple[tuple[str, ...], str]]:
    """Return arm -> (fields of what it trains on, the synthetic set among it)."""
    config = study.config
    found: dict[str, tuple[tuple[str, ...], str]] = {"real": ((), "")}
    for (name, variant), made in sets.items():
        label = name if variant == "plain" else f"{name}, {variant}"
        for times in config.times if variant == "plain" else config.times[:1]:
            found[f"{label} ×{times:g}"] = (("data.share=0.0", f"data.add={made}*{round(times * real)}"), made)
        for ratio in config.ratios if variant == "plain" else ():
            found[f"real + {label} ×{ratio:g}"] = ((f"data.add={made}*{round(ratio * real)}",), made)
    return found


def members(study: Study, sets: dict[tuple[str, str], str], real: int) -> list[Member]:
    """Return every classifier on every kind of data with every seed."""
    config = study.config
    on_real = Measured(f"{config.split}.json", (f"--split={config.split}",))
    others = [
        Measured("validation.json", (f"--data={made}", "--split=validation"), f"on {name}/")
        for (name, variant), made in sets.items() if variant == "plain"
    ]  # fmt: skip
    found = []
    for classifier in config.classifiers:
        for arm, (fields, made) in arms(study, sets, real).items():
            own = [Measured("validation.json", (f"--data={made}", "--split=validation"), "on its own/")] if made else []
            measured = [on_real, *(others if arm == "real" else own)]
            found += study.trainings({name_of(study, classifier, arm): fields}, classifier, measured=measured)
    return found


def name_of(study: Study, classifier: str, arm: str) -> str:
    """Return how an arm is called in tables."""
    return arm if len(study.config.classifiers) == 1 else f"{classifier}: {arm}"


def report(study: Study, rows: list[dict[str, Any]], weights: dict[str, str]) -> Outcome:
    """Write the report."""
    config = study.config
    table = summary.table(rows, {**MEASURES, "on its own kind, held out, %": "on its own/accuracy"})
    base = {
        classifier: summary.spread(summary.by_arm(rows)[name_of(study, classifier, "real")], "accuracy")[0]
        for classifier in config.classifiers
    }
    for line, (arm, runs) in zip(table, summary.by_arm(rows).items()):
        classifier = next(c for c in config.classifiers if arm.startswith(f"{c}: ") or len(config.classifiers) == 1)
        line["of real"] = f"{summary.spread(runs, 'accuracy')[0] / base[classifier]:.2f}"
    page = reporting.begin(study, "Trained on synthetic faces", (
        f"Classifiers are trained on real faces, on a generator's, and on both, with {config.steps:,} steps each, and"
        f" tested on the same real faces, the split `{config.split}`. ×2 is twice as many faces as there are real ones."
        " `of real` is the accuracy over that of training on real faces. All seeds share a generator's faces, so that"
        " ± leaves out what other faces of it would change. Where a set is larger than the steps see, more faces are"
        " other faces, not more training."
    ))  # fmt: skip
    page.section("Tested on real faces")
    page.table(table, caption="Macro averages over classes; AUROC is one class against the rest.")
    page.section("Does more help?")
    for classifier in config.classifiers:
        series = amounts(study, rows, classifier, list(weights))
        picture = study.workdir / "pictures" / f"{slug(classifier)}_amount.png"
        page.picture(
            lines.draw(series, picture, x="synthetic faces, as multiples of the real ones", y="accuracy on real faces",
                       title=classifier, level={"real alone": base[classifier]}),
            caption="Where an arm's accuracy on held-out faces of its own kind stays far above that on real ones, the"
            " limit is how its faces differ from real ones, and more of them teach nothing new; where both rise with"
            " the amount, there were too few.",
        )  # fmt: skip
    page.section("Along the training")
    series = summary.along(rows, "validation/accuracy")
    picture = study.workdir / "pictures" / "curves.png"
    page.picture(
        lines.draw(series, picture, x="step", y="accuracy on real validation faces", marks=False),
        caption="A curve that falls at the end has learned what is true of synthetic faces alone.",
    )
    page.section("Trained on real, tested on synthetic")
    tested = [name for name in weights if any(f"on {name}/accuracy" in row for row in rows)]
    of_real = [row for row in rows if row["arm"].endswith("real")]
    page.table(summary.table(of_real, {f"{name}, %": f"on {name}/accuracy" for name in tested}))
    return reporting.end(study, page, table=table, rows=rows)


def amounts(study: Study, rows: list, classifier: str, names: list[str]) -> dict[str, list[lines.Point]]:
    """Return accuracy against the amount of synthetic faces, per generator, alone and beside real ones."""
    arms, found = summary.by_arm(rows), {}
    for name in names:
        for form, values in ((f"{name} ×", study.config.times), (f"real + {name} ×", study.config.ratios)):
            there = [(v, arms.get(name_of(study, classifier, f"{form}{v:g}"))) for v in sorted(values)]
            for what, measure in (("", "accuracy"), (", on its own kind", "on its own/accuracy")):
                points = [lines.Point(v, *summary.spread(runs, measure)[:2]) for v, runs in there if runs]
                if points and not (what and form.startswith("real")):
                    found[form.removesuffix(" ×") + what] = points
    return found
