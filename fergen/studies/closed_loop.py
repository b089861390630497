"""The closed loop: a judge, a guide and a generator learn from the same real faces, and the judge scores the generator.

The guide takes part in the generator's training where its config has a weight for it; the judge is of another
architecture and never does.
"""

import time
from pathlib import Path
from typing import Any

from fergen.core import config as configs
from fergen.core.errors import BadInput
from fergen.core.paths import write_json
from fergen.evals import generation_table
from fergen.evals.generation import Report as Measured
from fergen.show.report import Report
from fergen.studies.jobs import Job
from fergen.studies.runs import Outcome, Study
from fergen.train import measure, measure_generator

MEMBERS = ("judge", "guide", "generator")
# What the CVAE of the AffectNet study reached: 8 classes, 128 px, in percent of 200 samples each.
CVAE_AFFECTNET = {
    "angry": 0.0, "contempt": 2.0, "disgust": 0.0, "fear": 1.0, "happy": 37.0, "neutral": 95.0, "sad": 77.5,
    "surprise": 10.5,
}  # fmt: skip


def run(study: Study) -> Outcome:
    """Train what is not trained yet, measure, and write the report.

    Args:
        study: its config has data (a prepared set), judge, guide, generator (names of configs), overrides (of fields
            of these, "field=value", by member), features, n, per_class.

    Raises:
        BadInput: a field or a member's config is wrong, or a member could not be trained.
    """
    config, workdir = study.config, study.workdir
    members = {name: workdir / name for name in MEMBERS}
    experiments = {name: load(config, name, workdir) for name in MEMBERS}
    for name, folder in members.items():
        fields = [f"--config.{text}" for text in fields_of(config, name, workdir)]
        command = ("train", f"--config={config[name]}", f"--workdir={folder}", *["--quiet"] * study.quiet, *fields)
        if status := study.execute([Job(name, (command,), folder)], f"train the {name}")[name]:
            raise BadInput(f"the {name} could not be trained: exit status {status}, see {folder / 'log.txt'}")
    # Trained in an earlier call or in this one: the checkpoint's clock knows either.
    seconds = {name: measure_clock(folder) for name, folder in members.items()}

    began = time.monotonic()
    report = measure_generator.evaluate(
        str(members["generator"]),
        judge=str(members["judge"]),
        guide=str(members["guide"]),
        features=config.features,
        n=config.n,
        per_class=config.per_class,
        out=workdir / "scores",
        quiet=study.quiet,
    )
    recognised = {
        role: measure.evaluate([str(members[role])], ["test"], out=workdir / "recognition" / role)
        .results["test"]
        .scores
        for role in ("judge", "guide")
    }
    seconds["measuring"] = time.monotonic() - began
    page, _ = write(config, workdir, report, recognised, experiments, seconds)
    scores = report.scores | {f"seconds/{name}": value for name, value in seconds.items()}
    write_json(workdir / "scores.json", report.about | scores)
    return Outcome(generation_table.text(scores, report.classes), scores, page)


def check(study: Study) -> None:
    """Check the members' configs.

    Raises:
        BadInput: as `load`.
    """
    for name in MEMBERS:
        load(study.config, name, study.workdir)


def fields_of(config, member: str, workdir: Path) -> list[str]:
    """Return the fields of a member's config that the study gives it; the generator's guide is the study's own."""
    fields = [f"data.name={config.data}", *config.overrides[member]]
    if member == "generator" and configs.load(config[member], fields).guide.weight:
        fields.append(f"guide.reference={workdir / 'guide'}")
    return fields


def load(config, member: str, workdir: Path) -> Any:
    """Load a member's config on the study's data.

    Raises:
        BadInput: as `fergen.core.config.load`, or the config is of another kind than the member.
    """
    experiment = configs.load(config[member])
    if (experiment.task == "classifier") != (member != "generator"):
        kind = "a generator" if member == "generator" else "a classifier"
        raise BadInput(f"--config.{member}={config[member]}: expected the config of {kind}, found a {experiment.task}")
    return configs.load(config[member], fields_of(config, member, workdir))


def measure_clock(workdir: Path) -> float:
    """Return the seconds of training that a run's last checkpoint has counted."""
    from fergen.train import checkpoints

    last = checkpoints.steps(workdir)[-1]
    return checkpoints.read_meta((workdir / checkpoints.FOLDER / str(last)).resolve())["clock"]["seconds"]


def write(
    config, workdir: Path, measured: Measured, recognised: dict, experiments: dict, seconds: dict[str, float]
) -> tuple[Path, Path]:
    """Write report.html and report.md."""
    scores, classes = measured.scores, measured.classes
    report = Report(f"Closed loop on {config.data}")
    report.text(
        f"A judge (`{experiments['judge'].name}`), a guide (`{experiments['guide'].name}`) and a generator"
        f" (`{experiments['generator'].name}`) were trained on the same faces. The judge, which took no part in the"
        " generator's training and is of another architecture than the guide, says which expression it sees on"
        " generated faces. It errs on real faces too: perfect samples would score its recall there, so the ratio of"
        " the two says how controlled the generator is."
    )
    report.section("Generated faces")
    report.picture(workdir / "scores" / "samples.png", caption="A row per expression; faces drawn at random.")
    report.section("Control")
    report.table([control_row(scores, name) for name in ("macro", *classes)], caption=(
        "Percent of faces on which the judge sees what was asked for, with 95 % intervals. Last column: the published"
        f" CVAE on AffectNet (128 px, 8 classes; macro {sum(CVAE_AFFECTNET.values()) / 8:.1f}), judged by the"
        " classifier of that study: another set and judge, for the shape of the problem rather than for comparison."
    ))  # fmt: skip
    report.picture(workdir / "scores" / "confusion.png", caption="Asked for (rows) and seen by the judge (columns).")
    report.section("Distances from real faces")
    for space in config.features:
        report.table(distance_rows(scores, space), caption=(
            f"Feature space {space}; n = {scores['n']:,} on each side. The floor is real held-out faces against the"
            " same training faces."
        ))  # fmt: skip
    report.section("Nearest training faces")
    report.picture(workdir / "scores" / "neighbours.png", caption="A copy would show here.")
    report.section("Recognition")
    rows = [
        {
            "network": f"{role}: {experiments[role].name}",
            "accuracy, %": interval(found, "accuracy"),
            "macro-F1, %": interval(found, "macro_f1"),
            "faces": f"{found['n']:,}",
        }
        for role, found in recognised.items()
    ]
    report.table(rows, caption="On the `test` split, which chose nothing.")
    report.picture(workdir / "recognition" / "judge" / "test.confusion.png", caption="The judge on the `test` split.")
    report.section("Time")
    report.table([{"stage": name, "seconds": round(value, 1)} for name, value in seconds.items()], digits=1)
    for note in measured.notes:
        report.text(f"Note: {note}.")
    return report.write(workdir)


def control_row(scores: dict[str, float], name: str) -> dict[str, Any]:
    """Return a row of the table of control."""
    published = sum(CVAE_AFFECTNET.values()) / 8 if name == "macro" else CVAE_AFFECTNET.get(name)
    ratio = "control/ratio" if name == "macro" else f"control/ratio/{name}"
    return {
        "expression": name,
        "generated": interval(scores, f"control/{name}"),
        "judge on real faces": interval(scores, f"judge/real/{name}"),
        "ratio": scores[ratio],
        "guide": interval(scores, f"guide/{name}"),
        "CVAE, AffectNet (published)": None if published is None else f"{published:.1f}",
    }


def distance_rows(scores: dict[str, float], space: str) -> list[dict[str, Any]]:
    """Return the rows of a feature space's table; a measure that n does not allow is left out."""
    names = {"fid": "Fréchet distance", "kid": "kernel distance x 1000", "precision": "precision", "recall": "recall",
             "density": "density", "coverage": "coverage"}  # fmt: skip
    factor = {"kid": 1000.0}
    return [
        {
            "measure": label,
            "generated": factor.get(name, 1.0) * scores[f"{name}/{space}"],
            "floor": factor.get(name, 1.0) * scores.get(f"floor/{name}/{space}", float("nan")),
        }
        for name, label in names.items()
        if f"{name}/{space}" in scores
    ]


def interval(scores: dict[str, float], name: str) -> str:
    """Write a share in percent with its interval."""
    shares = [f"{100 * scores[key]:.1f}" for key in (name, f"{name}.low", f"{name}.high") if key in scores]
    return shares[0] + (f" [{', '.join(shares[1:])}]" if shares[1:] else "")
