"""Distillation: the target is a part labels, a part the mean answer of frozen classifiers."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fergen.core import config as configs
from fergen.core.errors import BadInput
from fergen.data import dataset
from fergen.data.vocabulary import classes_of
from fergen.tasks import classifier
from fergen.train import setup
from tests.train.conftest import CLASSES, TINY, write_set

PLAIN = ("augment.flip=0.0", "augment.rotate=0.0", "augment.translate=0.0", "loss.label_smoothing=0.0", "ema=0.0")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return write_set(tmp_path_factory.mktemp("sets") / "tiny", {"train": 96, "validation": 21})


def net(logits, classes=CLASSES, name="runs/teacher", **predict):
    """A frozen classifier of our making."""
    spec = {"task": "classifier", "classes": list(classes), "model": {"name": "none"}}
    return SimpleNamespace(name=name, hash="aa", spec=spec, predict={"logits": logits, **predict})


def make(tiny, *overrides, fixed=None):
    references = ",".join(f"'{each}'" for each in fixed or {})
    fields = [*PLAIN, f"teachers.references=({references},)"] if fixed else [*PLAIN]
    config = configs.load(f"{TINY}:{tiny}", [*fields, *overrides])
    return classifier.build(config, dataset.load(str(tiny), "train"), 100, fixed or {})


def batch_of(tiny, n=16):
    train = dataset.load(str(tiny), "train")
    return {"image": np.asarray(train.images[:n]), "label": np.asarray(train.labels[:n])}


def test_the_target_is_labels_and_the_mean_of_the_answers(tiny):
    """Each teacher's own order of classes, and of its eight the seven that are asked for."""
    eight = classes_of("eight")
    first = net(lambda v, x: v["a"] * jnp.arange(7.0) + x.mean((1, 2, 3))[:, None] * jnp.arange(7.0) ** 2)
    second = net(lambda v, x: v["b"] * jnp.ones((len(x), 1)) * jnp.arange(8.0), classes=eight)
    fixed = {"teacher1": first, "teacher2": second}
    task = make(tiny, "teachers.weight=0.25", fixed=fixed)
    frozen = {"teacher1": {"a": jnp.float32(0.3)}, "teacher2": {"b": jnp.float32(-0.4)}}
    batch = batch_of(tiny)
    images = batch["image"] / 127.5 - 1
    soft = np.eye(7, dtype=np.float32)[batch["label"]]

    def probabilities(logits):
        odds = np.exp(np.asarray(logits, np.float64))
        return odds / odds.sum(1, keepdims=True)

    one = probabilities(0.3 * np.arange(7) + images.mean((1, 2, 3))[:, None] * np.arange(7.0) ** 2)
    of_eight = np.exp(-0.4 * np.array([eight.index(name) for name in CLASSES]))
    two = np.tile(of_eight / of_eight.sum(), (len(images), 1))
    expected = 0.75 * soft + 0.25 * (one + two) / 2
    found = task.teachers.target(frozen, jnp.asarray(images, jnp.float32), jnp.asarray(soft))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)
    # The step's loss is the cross-entropy with that target, and its accuracy is against the labels.
    state = jax.jit(lambda key: task.init(key, {}))(jax.random.key(0))
    variables = state.nets["classifier"].variables()
    logits = task.module.apply(variables, classifier.normalise(images, task.spec), train=True, mutable=["batch_stats"])
    log = np.log(probabilities(logits[0]))
    _, metrics = jax.jit(task.step)(state, batch, jax.random.key(1), frozen)
    assert float(metrics["loss"]) == pytest.approx(-(expected * log).sum(1).mean(), rel=1e-4)
    assert float(metrics["accuracy"]) == pytest.approx((log.argmax(1) == batch["label"]).mean())


def test_teachers_see_the_changed_images(tiny):
    seen = []
    task = make(
        tiny, "augment.flip=1.0", fixed={"teacher1": net(lambda v, x: seen.append(np.asarray(x)) or jnp.ones((16, 7)))}
    )
    state, batch = task.init(jax.random.key(0), {}), batch_of(tiny)
    with jax.disable_jit():
        task.step(state, batch, jax.random.key(1), {"teacher1": {}})
    np.testing.assert_allclose(seen[0], batch["image"][:, :, ::-1] / 127.5 - 1, atol=1e-5)


def test_a_student_learns_what_its_teacher_says_not_the_labels(tiny):
    """A teacher that calls every class by the next one's name, and has the whole target."""
    patterns = np.zeros((7, 16, 16, 1), np.float32)
    train = dataset.load(str(tiny), "train")
    for c in range(7):
        patterns[c] = train.images[train.labels == c].mean(0) / 127.5 - 1
    apart = jnp.asarray(np.roll(patterns, 1, axis=0))

    def logits(variables, images):
        return -0.5 * jnp.square(images[:, None] - apart[None]).sum((2, 3, 4))

    task = make(tiny, "teachers.weight=1.0", fixed={"teacher1": net(logits)})
    batch = batch_of(tiny, 96)
    state, step = jax.jit(lambda key: task.init(key, {}))(jax.random.key(0)), jax.jit(task.step, donate_argnums=0)
    for i in range(60):
        state, metrics = step(state, batch, jax.random.key(i), {"teacher1": {}})
    found = np.asarray(task.predict["logits"](task.weights(state), batch["image"])).argmax(1)
    assert (found == (batch["label"] + 1) % 7).mean() > 0.9
    assert float(metrics["accuracy"]) < 0.1


def test_a_run_knows_its_teachers(tiny):
    """A shipped classifier as teacher: its weights go in as frozen ones, its lineage into the student's."""
    fields = [*PLAIN, "teachers.references=('fer2013_small','fer2013_judge')"]
    run = setup.prepare(configs.load(f"{TINY}:{tiny}", fields))
    assert set(run.frozen) == {"teacher1", "teacher2"}
    spec = run.task.spec
    assert [spec[role]["name"] for role in ("teacher1", "teacher2")] == ["fer2013_small", "fer2013_judge"]
    assert {spec[role]["hash"] for role in ("teacher1", "teacher2")} <= set(run.lineage["weights"])


@pytest.mark.parametrize(
    ("fields", "fixed", "said"),
    [
        (("teachers.weight=0.0",), {}, "teachers.weight=0 with"),
        (("teachers.weight=1.5",), {}, "teachers.weight: expected a number"),
        ((), {"classes": CLASSES[:5]}, "not sad, surprise|not .*neutral"),
        (("privacy.epsilon=8.0", "model.norm=group"), {}, "expected none, for what teachers have seen"),
    ],
)
def test_what_cannot_teach_is_refused(tiny, fields, fixed, said):
    with pytest.raises(BadInput, match=said):
        make(tiny, *fields, fixed={"teacher1": net(lambda v, x: jnp.ones((len(x), 7)), **fixed)})


def test_a_generator_is_no_teacher(tiny):
    other = SimpleNamespace(name="faces", hash="a", spec={"task": "gan", "model": {}, "classes": CLASSES}, predict={})
    with pytest.raises(BadInput, match="references=faces: expected a classifier, found a gan"):
        make(tiny, fixed={"teacher1": other})
