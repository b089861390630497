"""Generators of a study, and the sets of faces that they make for it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

from fergen.core.errors import BadInput
from fergen.core.fields import pairs
from fergen.studies.jobs import Job
from fergen.studies.runs import Study, slug, training

TRAIN = "config="
Key = TypeVar("Key", str, tuple[str, str])


class Made(NamedTuple):
    """A set of synthetic faces to be made: the job, and the prepared set's folder, by which configs name it."""

    job: Job
    name: str


def generators(study: Study) -> dict[str, str]:
    """Train those of the study's generators that are named by their config.

    Args:
        study: its config has `generators`: NAME=REF, a reference to weights, or NAME=config=NAME of one to train, and
            `overrides.generators`: fields of those.

    Returns:
        name -> reference to weights, without those whose training failed.

    Raises:
        BadInput: none is left.
    """
    listed = pairs("generators", study.config.generators)
    fields = (f"data.name={study.config.data}", *study.config.overrides.generators)
    folders = {name: study.workdir / "generators" / slug(name) for name in listed}
    jobs = {
        name: Job(
            f"generator/{slug(name)}",
            (training(text.removeprefix(TRAIN), folders[name] / "run", fields),),
            folders[name],
        )
        for name, text in listed.items()
        if text.startswith(TRAIN)
    }
    status = study.execute(jobs.values(), "train generators") if jobs else {}
    found = {
        name: str(folders[name] / "run") if name in jobs else text
        for name, text in listed.items()
        if name not in jobs or status[jobs[name].name] == 0
    }
    if not found:
        raise BadInput(f"{study.workdir / 'generators'}: no generator could be trained; see the log.txt of each")
    return found


def made(
    study: Study,
    name: str,
    weights: str,
    size: Sequence[int],
    *,
    n: int = 0,
    labels: Mapping[str, int] | None = None,
    flags: Sequence[str] = (),
) -> Made:
    """Describe a set of synthetic faces, of the images' size of the study's own set.

    Args:
        study: names the set whose shares of classes are taken.
        name: of the set, unique in the study.
        weights: the generator's.
        size: height, width and channels of the images.
        n: faces of all classes together.
        labels: class -> faces, in place of n.
        flags: of `fergen sample`: a filter, a truncation.
    """
    folder = study.workdir / "sets" / slug(name)
    asked = [f"--n={n}", f"--like={study.config.data}"]
    if labels:
        asked = [f"--labels={','.join(f'{label}={count}' for label, count in labels.items())}"]
    faces, height, channels = folder / "faces", size[0], size[2]
    commands = (
        ("sample", f"--weights={weights}", f"--dataset={faces}", *asked, *flags, "--quiet"),
        ("prepare", "synthetic", f"--from={faces}", f"--name={folder.name}", f"--root={folder}", f"--size={height}",
         f"--channels={channels}", "--quiet"),
    )  # fmt: skip
    return Made(Job(f"set/{slug(name)}", commands, folder), str(folder / folder.name))


def make(study: Study, sets: Mapping[Key, Made]) -> dict[Key, str]:
    """Make sets; returns key -> set for those that could be made."""
    status = study.execute([each.job for each in sets.values()], "make faces")
    return {key: each.name for key, each in sets.items() if status[each.job.name] == 0}


def of_each(study: Study, size: Sequence[int], n: int) -> tuple[dict[str, str], dict[str, str]]:
    """Have every generator of a study make faces.

    Args:
        study: see `generators`.
        size: height, width and channels of the images.
        n: faces of each, at least, in the train split of the set.

    Returns:
        name -> reference to its weights, name -> its set.
    """
    weights = generators(study)
    return weights, make(study, {name: made(study, name, ref, size, n=2 * n) for name, ref in weights.items()})
