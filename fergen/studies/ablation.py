"""An experiment with any of its fields varied, over a grid or at random: a table and a picture."""

import math

from fergen.core import config as configs
from fergen.show import bars, lines
from fergen.studies import reporting, summary, variations
from fergen.studies.runs import Measured, Outcome, Study


def run(study: Study) -> Outcome:
    """Run the study."""
    config = study.config
    random = config.draws > 0
    arms = variations.random(config.fields, config.draws, config.seed) if random else variations.grid(config.fields)
    classifier = configs.load(config.experiment).task == "classifier"
    file = f"{config.split}.json" if classifier else "scores.json"
    flags = (f"--split={config.split}",) if classifier else tuple(config.generator_flags)
    members = variations.members(
        study, config.experiment, arms, measured=[Measured(file, flags)], seeds=config.seeds, overrides=study.fields
    )
    rows = study.compare(members)
    summary.require_some(rows, "ablation")
    table = summary.table(rows, {name: name for name in config.measures}, head="fields", scale=1.0)
    page = reporting.begin(study, f"Ablation of {config.experiment}", (
        f"{len(arms)} variations, {'drawn at random' if random else 'a grid'}, with {config.seeds} seeds each, measured"
        f" on the split `{config.split}`."
    ))  # fmt: skip
    page.section("Variations")
    page.table(table)
    page.section("At a glance")
    for measure in config.measures:
        page.picture(picture(study, summary.by_arm(rows), measure), caption=measure)
    return reporting.end(study, page, table=table, rows=rows)


def picture(study: Study, arms: dict[str, list], measure: str):
    """Draw a measure: a line if one field took numbers, else a row per variation."""
    path = study.workdir / "pictures" / f"{measure.replace('/', '_')}.png"
    spreads = {arm: summary.spread(rows, measure) for arm, rows in arms.items()}
    values = [number(arm.partition("=")[2]) for arm in arms]
    if len(study.config.fields) == 1 and not any(map(math.isnan, values)):
        field = study.config.fields[0].partition("=")[0]
        points = [lines.Point(x, *spread[:2]) for x, spread in sorted(zip(values, spreads.values()))]
        positive = min(values) > 0 and max(values) >= 10 * min(values)
        return lines.draw({measure: points}, path, x=field, y=measure, log=positive)
    return bars.draw(list(arms), {measure: [spread[:2] for spread in spreads.values()]}, path, x=measure)


def number(text: str) -> float:
    """Return a text as a number; NaN if it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan
