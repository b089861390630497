"""What every config promises; a new file in configs/ joins by itself."""

import re
import signal
import statistics
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from fergen.core import config as configs
from fergen.core import mesh
from fergen.core.errors import BadInput, Preempted
from fergen.core.record import rows
from fergen.core.tree import leaf_names
from fergen.train import checkpoints, loop, setup
from tests.contract import narrow

ROOT = Path(__file__).resolve().parents[2]
NAMES = sorted(p.stem for p in (ROOT / "configs").glob("*.py") if p.stem != "__init__")
# A study is made of experiments: it has no task of its own.
STUDIES = [name for name in NAMES if "study" in configs.load(name)]
EXPERIMENTS = sorted(set(NAMES) - set(STUDIES))
CLASSIFIERS = [name for name in EXPERIMENTS if configs.load(name).task == "classifier"]
# The config that stands for its task in the default tests: trained, stopped, resumed and compared bit for bit. With
# narrow networks, and of frozen ones a small classifier, in a CVAE.
TRAINED = {
    "classifier": ("fer2013_small",),
    "gan": ("fer2013_cgan", "maps.reference="),
    "cvae": ("fer2013_cvae", "perceptual.reference=", "perceptual.features=0", "perceptual.style=0",
             "perceptual.moments=0"),
    "flow": ("fer2013_flow_small",),
    "stylegan2": ("fer2013_stylegan2_small", "guide.reference=", "guide.weight=0"),
}  # fmt: skip


def test_all_are_found_by_name():
    assert configs.names() == NAMES
    assert len(NAMES) >= 11


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_loads_at_once_whole_and_small(name):
    for reference in (name, f"{name}:smoke", f"configs/{name}.py"):
        took = []
        for _ in range(3):
            began = time.process_time()
            found = configs.load(reference)
            took.append(time.process_time() - began)
        assert statistics.median(took) < 0.1, reference
        assert found.is_locked
    whole, small = configs.load(name), configs.load(f"{name}:smoke")
    assert (whole.name, small.name) == (name, f"{name}_smoke")
    # Models, optimisers and augmentations are what a smoke run is for.
    # What a smoke run shortens: the data, the steps, and the steps of a sampler.
    free = ("name", "data", "batch_size", "epochs", "scan", "log_every", "eval_every", "save_every", "sampler")
    for group in set(whole) - set(free):
        assert whole[group] == small[group], group
    for config in (whole, small):
        assert config.batch_size % 8 == 0, "divides by the devices of one host"
        assert all(config[f"{what}_every"] % config.scan == 0 for what in ("log", "eval", "save"))
    assert small.data.name.startswith("procedural_"), "a smoke run needs no file"
    assert configs.load(name).to_json() == whole.to_json(), "loading changes nothing"


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_loads_whole_and_small(name):
    assert f"fergen study --config={name}" in (configs.module_of(ROOT / "configs" / f"{name}.py").__doc__ or "")
    whole, small = configs.load(name), configs.load(f"{name}:smoke")
    assert (whole.name, small.name) == (name, f"{name}_smoke")
    assert set(whole) == set(small)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_page_of_the_notebook(name):
    page = configs.module_of(ROOT / "configs" / f"{name}.py").__doc__
    assert f"fergen train --config={name}" in page
    assert f"fergen eval --workdir=runs/{name}" in page or "--eval\n" in page
    if not configs.load(name).data.name.startswith("procedural"):
        assert "fergen prepare " in page
    # A page speaks of no other experiment's run.
    assert set(re.findall(r"--workdir=runs/(\w+)", page)) <= {name}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_overrides_keep_their_types(name):
    found = configs.load(name, ["optim.lr=1", "seed=7", "data.name=mine", "ema=0.5", "data.balance=true"])
    assert (found.optim.lr, type(found.optim.lr)) == (1.0, float)
    assert (found.seed, found.data.name, found.ema, found.data.balance) == (7, "mine", 0.5, True)
    for override, said in {
        "seed=many": "--config.seed=many: expected int, found str",
        "seed=1.5": "--config.seed=1.5: expected int, found float",
        "seed=True": "expected int, found bool",
        "ema=yes": "--config.ema=yes: expected float, found str",
        "data.balance=1": "--config.data.balance=1: expected bool, found int",
        "optim=sgd": "--config.optim is a group; set one of its fields: .*lr",
        "optim.learning_rate=1": "config.optim has no field 'learning_rate'",
        "batch_siz=8": "config has no field 'batch_siz'; did you mean batch_size?",
        "seed.x=8": "config.seed has no field 'x'",
        "seed": "expected --config.FIELD=VALUE, found no '='",
    }.items():
        with pytest.raises(BadInput, match=said.replace("?", r"\?")):
            configs.load(name, [override])


def test_a_tuple_is_overridden_by_a_tuple(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("from configs import fer2013_small\nget_config = fer2013_small.get_config\n")
    field = "model.widths"
    assert configs.load(str(path), [f"{field}=(8, 16, 24)"]).model.widths == (8, 16, 24)
    assert configs.load(str(path), [f"{field}=[8, 16, 24]"]).model.widths == (8, 16, 24)
    with pytest.raises(BadInput, match=r"--config.model.widths=8: expected tuple, found int"):
        configs.load(str(path), [f"{field}=8"])


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_argument_is_refused(name):
    with pytest.raises(BadInput, match=f"{name}:smokey"):
        configs.load(f"{name}:smokey")


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_task_builds_and_its_step_traces(name):
    """Shapes alone: a step, of each phase where there are several, gives a state of the same form, and scalars."""
    config = configs.load(f"{name}:smoke")
    run = setup.prepare(config)
    assert 2 < run.steps <= 4
    key = setup.run_key(config)
    state = jax.eval_shape(run.init, key)

    def form(tree):
        return {leaf: (x.shape, x.dtype) for leaf, x in leaf_names(tree).items()}

    item = jax.tree.map(lambda x: x[0], run.source.block(0, 1))
    seen = {}
    for name, part in run.parts.items():
        after, seen[name] = jax.eval_shape(part, state, run.frozen, run.source.arrays, item)
        assert form(after) == form(state)
        assert all(value.shape == () for value in seen[name].values())
    for step in range(32):
        due = run.due(step)
        assert any("loss" in seen[name] for name in due)
        assert set(due) <= set(run.parts)
    params = [leaf.dtype for net in state.nets.values() for leaf in jax.tree.leaves(net.params)]
    assert set(params) == {np.dtype("float32")}


def stopped_and_resumed(config, workdir, monkeypatch):
    """Train; a signal comes with the first checkpoint; train again in the same workdir."""
    save = checkpoints.Checkpoints.save

    def save_and_signal(self, *args):
        save(self, *args)
        signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints.Checkpoints, "save", save_and_signal)
        with pytest.raises(Preempted, match="stopped at step 2 of"):
            loop.run(config, workdir, quiet=True)
    assert checkpoints.steps(workdir) == [2]
    return loop.run(config, workdir, quiet=True)


def resumes_with_the_same_bits(name, folder, monkeypatch, *overrides):
    """Two steps, resumed to the end, are the straight run bit for bit: state, weights, scores."""
    config = configs.load(f"{name}:smoke", ["tensorboard=False", *overrides])
    straight = loop.run(config, folder / "straight", quiet=True)
    resumed = stopped_and_resumed(config, folder / "resumed", monkeypatch)
    last = straight["step"]
    assert resumed["step"] == last > 2
    assert rows(folder / "resumed" / "metrics.jsonl") == rows(folder / "straight" / "metrics.jsonl")

    def stored(run, step, item):
        place = (folder / run / "checkpoints" / str(step)).resolve()
        return leaf_names(checkpoints.read_item(place, item, None, None))

    before = stored("resumed", 2, "state")
    for item in ("weights", "state"):
        ours, theirs = stored("resumed", last, item), stored("straight", last, item)
        assert ours.keys() == theirs.keys()
        for leaf in ours:
            np.testing.assert_array_equal(ours[leaf], theirs[leaf], err_msg=leaf)
    # The comparison can fail: the steps after the second have changed what is compared.
    assert any("/params/" in leaf and not np.array_equal(before[leaf], ours[leaf]) for leaf in ours)


@pytest.mark.parametrize("task", TRAINED)
def test_two_steps_resumed_to_four_equal_four(task, tmp_path, monkeypatch):
    name, *overrides = TRAINED[task]
    assert configs.load(name).task == task
    resumes_with_the_same_bits(name, tmp_path / "runs", monkeypatch, *overrides, *narrow.of(name))


def test_every_task_is_trained_by_default():
    assert {configs.load(name).task for name in EXPERIMENTS} == set(TRAINED)


def networks():
    """Return the first classifier of each network and kind of step; the others differ from it in numbers alone."""
    found: dict = {}
    trained = TRAINED["classifier"][0]
    small = [trained, *(name for name in CLASSIFIERS if name.startswith("fer2013"))]
    for name in dict.fromkeys([*small, *CLASSIFIERS]):
        config = configs.load(name)
        kind = (config.model.name, config.model.get("depth"), config.model.get("variant"), config.privacy.epsilon > 0)
        found.setdefault(kind, name)
    return sorted(set(found.values()) - {trained})


@pytest.mark.slow
@pytest.mark.parametrize("name", networks())
def test_every_network_resumes_with_the_same_bits(name, tmp_path, monkeypatch):
    # One device: the large networks would take minutes over eight virtual ones on two cores.
    one = mesh.build(jax.devices()[:1])
    monkeypatch.setattr(mesh, "build", lambda devices=None: one)
    resumes_with_the_same_bits(name, tmp_path / "runs", monkeypatch)
