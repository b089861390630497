"""A benchmark that leaks nothing: checkpoints chosen on validation, every figure with and without twins, n seeds.

Nothing is tuned on test: there is nothing to tune. Somebody else's probabilities are scored from a CSV file by the same
measures.
"""

from pathlib import Path

from fergen.core.errors import BadInput
from fergen.data import dataset
from fergen.evals import outside
from fergen.evals.classification import evaluate
from fergen.show import bars
from fergen.studies import reporting, summary
from fergen.studies.jobs import Job
from fergen.studies.runs import Measured, Member, Outcome, Study, slug

COLUMNS = {
    "accuracy, %": "accuracy",
    "without twins, %": "no_twins/accuracy",
    "macro-F1, %": "macro_f1",
    "FER+ majority, %": "ferplus/accuracy",
    "5 classes, %": "five/accuracy",
    "ECE, %": "ece",
    "views averaged, %": "tta/accuracy",
    "views, without twins, %": "tta/no_twins/accuracy",
    "views, 5 classes, %": "tta/five/accuracy",
}

# Of these, what the picture shows.
SHOWN = ("accuracy, %", "without twins, %", "5 classes, %")


def check(study: Study) -> None:
    """Refuse what could be scored only after hours of training.

    Raises:
        BadInput: nothing to score, or a file that is not there.
    """
    config = study.config
    if not config.classifiers and not config.csv:
        raise BadInput("--config.classifiers=(): expected a config, or a file in --config.csv")
    for path in config.csv:
        if not Path(path).is_file():
            raise BadInput(f"--config.csv={path}: no such file")


def run(study: Study) -> Outcome:
    """Run the study."""
    config = study.config
    dataset.draw_procedural(config.data, quiet=study.quiet)
    flags = (f"--split={config.split}", f"--data={config.data}", f"--tta={config.tta}")
    measured = [Measured(f"{config.split}.json", flags)]
    members = [
        study.member(name, name, study.fields, measured=measured, seed=seed, step="best")
        for name in config.classifiers
        for seed in range(config.seeds)
    ]
    rows = study.compare(members)
    summary.require_some(rows, "benchmark")
    done = [member for member, row in zip(members, rows) if row["status"] == 0]
    rows = rows + study.compare(ensembles(study, done, flags), "average") + [theirs(study, path) for path in config.csv]
    table = summary.table(rows, COLUMNS, head="network")
    page = reporting.begin(study, "Benchmark", (
        f"{config.seeds} runs of each config on `{config.data}`; of each run the checkpoint with the best validation"
        f" accuracy, measured once on the split `{config.split}`, which chose nothing. Twins are images that stand"
        f" pixel for pixel in the training set; views are those of `{config.tta}`, averaged as probabilities."
    ))  # fmt: skip
    page.section("Networks")
    page.table(table)
    arms = summary.by_arm(rows)
    page.picture(bars.draw(
        list(arms),
        {text: [summary.spread(found, COLUMNS[text])[:2] for found in arms.values()] for text in SHOWN},
        study.workdir / "pictures" / "networks.png",
        x="accuracy, share of the faces",
    ))  # fmt: skip
    if members:
        page.section("Commands")
        page.code("\n".join("fergen " + " ".join(command) for command in members[0].job.commands).replace(
            str(study.workdir), "WORKDIR"
        ))  # fmt: skip
    return reporting.end(study, page, table=table, rows=rows)


def ensembles(study: Study, members: list[Member], flags: tuple[str, ...]) -> list[Member]:
    """Describe the average of each config's runs, and of all runs."""
    groups: dict[str, list[Member]] = {}
    for member in members:
        groups.setdefault(f"{member.arm}, all seeds averaged", []).append(member)
    if len(groups) > 1:
        groups["all averaged"] = list(members)
    found = []
    for name, group in groups.items():
        if len(group) > 1:
            folder = study.workdir / "ensembles" / slug(name)
            weights = [f"{member.run}@best" for member in group]
            job = Job(slug(name), (("eval", "--weights", *weights, f"--out={folder / 'scores'}", *flags),), folder)
            found.append(Member(name, 0, job, {"": folder / "scores" / f"{study.config.split}.json"}))
    return found


def theirs(study: Study, path: str) -> dict:
    """Return the row of somebody else's predictions: a CSV of probabilities, see `fergen.evals.outside`."""
    split = dataset.load(study.config.data, study.config.split)
    scores = evaluate(outside.read(path, split), split)
    file = Path(path)
    twice = [Path(other).name for other in study.config.csv].count(file.name) > 1
    name = f"{file.parent.name}/{file.name}" if twice else file.name
    return {"arm": name, "seed": 0, "status": 0, "run": study.workdir / file.stem / "run", **scores}
