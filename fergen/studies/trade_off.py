"""Control against realism: every generator over its own knob, in one plot.

The AffectNet study's central question: a generator that obeys the label better shows fewer kinds of faces.
"""

import math

from fergen.core.errors import BadInput
from fergen.core.fields import pairs
from fergen.data import dataset
from fergen.show import lines
from fergen.studies import reporting, summary
from fergen.studies.jobs import Job
from fergen.studies.runs import Member, Outcome, Study, slug, training
from fergen.studies.synthetic import TRAIN
from fergen.studies.variations import parsed


def run(study: Study) -> Outcome:
    """Run the study."""
    config = study.config
    dataset.draw_procedural(config.data, quiet=study.quiet)
    judge = config.judge
    if judge.startswith(TRAIN):
        folder = study.workdir / "judge"
        fields = (f"data.name={config.data}", *config.overrides.judge)
        command = training(judge.removeprefix(TRAIN), folder / "run", fields)
        status = study.execute([Job("judge", (command,), folder)], "train the judge")
        if status["judge"]:
            raise BadInput(f"the judge could not be trained: see {folder / 'log.txt'}")
        judge = str(folder / "run")
    members = [
        member for name, text in pairs("knobs", config.knobs).items() for member in settings(study, name, text, judge)
    ]
    rows = study.compare(members)
    summary.require_some(rows, "trade-off")
    space = config.features
    columns = {
        "control, %": ("control/macro", 100, 1), "ratio, %": ("control/ratio", 100, 1),
        "coverage": (f"coverage/{space}", 1, 2), "density": (f"density/{space}", 1, 2),
        "kernel distance x 1000": (f"kid/{space}", 1000, 1),
    }  # fmt: skip
    table = [
        {"generator": row["arm"]}
        | {head: f"{scale * row.get(name, math.nan):.{digits}f}" for head, (name, scale, digits) in columns.items()}
        for row in rows if row["status"] == 0
    ]  # fmt: skip
    page = reporting.begin(study, "Control against realism", (
        f"Each generator over its own knob: {config.n:,} faces a setting, control by the judge"
        f" `{judge.rpartition('/')[2] or judge}`, coverage of training faces in `{space}`."
    ))  # fmt: skip
    page.section("Settings")
    page.table(table)
    page.section("In one plot")
    for head in ("coverage", "kernel distance x 1000"):
        name, scale, _ = columns[head]
        series: dict[str, list[lines.Point]] = {}
        for row in rows:
            generator, _, setting = row["arm"].partition(": ")
            if row["status"] == 0 and not math.isnan(row.get(name, math.nan)):
                point = lines.Point(scale * row[name], 100 * row["control/macro"], word=setting)
                series.setdefault(generator, []).append(point)
        if series:
            picture = study.workdir / "pictures" / f"{slug(head)}.png"
            page.picture(lines.draw(series, picture, x=head, y="control, %"))
    return reporting.end(study, page, table=table, rows=rows)


def settings(study: Study, name: str, text: str, judge: str) -> list[Member]:
    """Return a run per setting of a generator's knob.

    Args:
        study: where they go.
        name: of the generator.
        text: "REF; OPTION=V|V", an option of its sampler (guidance, truncation, steps, search), or "config=NAME;
            FIELD=V|V", a field of a config that is trained once for each value (beta).
        judge: by reference.
    """
    reference, _, knob = (part.strip() for part in text.partition(";"))
    field, values = parsed(knob)
    config, found = study.config, []
    for value in values:
        arm = f"{name}: {field.rpartition('.')[2]} {value}"
        folder = study.workdir / "settings" / slug(arm)
        train: tuple[tuple[str, ...], ...] = ()
        weights, option = reference, (f"--{field}={value}",)
        if reference.startswith(TRAIN):
            weights, option = str(folder / "run"), ()
            fields = (f"data.name={config.data}", *config.overrides.generators, f"{field}={value}")
            train = (training(reference.removeprefix(TRAIN), folder / "run", fields),)
        measure = ("eval", "--weights", weights, f"--out={folder / 'scores'}", f"--judge={judge}", "--features",
                   config.features, f"--n={config.n}", f"--per-class={config.per_class}", *option)  # fmt: skip
        job = Job(slug(arm), (*train, measure), folder)
        found.append(Member(arm, 0, job, {"": folder / "scores" / "scores.json"}))
    return found
