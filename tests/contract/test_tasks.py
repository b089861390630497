"""What every task promises: pure, deterministic, learns, and indifferent to the number of devices."""

import dataclasses
import random
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fergen.core import config as configs
from fergen.core import mesh as meshes
from fergen.core.tree import leaf_names
from fergen.data import dataset
from fergen.evals import sampling
from fergen.train import setup
from tests.contract import narrow
from tests.train.conftest import TINY

ROOT = Path(__file__).resolve().parents[2]
BATCH, STEPS = 16, 60


class Row(NamedTuple):
    """How a task enters the table; a task of several kinds may have several rows.

    Attributes:
        config: the experiment to start from, on the tiny set of tests/train.
        whole: overrides under which everything random is on.
        smooth: overrides under which close gradients give close updates, for the comparison of devices.
        plain: of a classifier: overrides under which nothing is random and the loss can reach zero.
        model: options of the model in the plain form.
        of_images: the functions of `predict` that take (variables, images); a generator has none.
    """

    config: str
    whole: tuple[str, ...]
    smooth: tuple[str, ...]
    plain: tuple[str, ...] = ()
    model: dict = {}  # noqa: RUF012 (read only)
    of_images: tuple[str, ...] = ()


SMOOTH = ("optim.lr=1e-3", "optim.eps=0.1")
# Without frozen networks.
ALONE = ("perceptual.features=0", "perceptual.style=0", "perceptual.moments=0")
TASKS = {
    "classifier": Row(
        config=str(TINY),
        whole=("ema=0.9",),
        plain=("augment.flip=0", "augment.rotate=0", "augment.translate=0", "loss.label_smoothing=0", "ema=0",
               "optim.lr=0.01"),
        model={"dropout": 0.0},
        smooth=("optim.name=sgd", "optim.lr=0.05"),
        of_images=("logits", "features"),
    ),
    "gan": Row(config="procedural_gan:smoke", whole=(), smooth=SMOOTH),
    "cgan": Row(config="procedural_cgan:smoke", whole=(), smooth=SMOOTH),
    "acgan": Row(config="procedural_acgan:smoke", whole=(), smooth=SMOOTH),
    "cvae": Row(config="procedural_cvae:smoke", whole=ALONE, smooth=SMOOTH),
    "flow": Row(
        config="procedural_flow:smoke",
        whole=(),
        smooth=(*SMOOTH, "augment.mirror=0.5", "augment.p=0.5", "augment.ada.scale=1.0", "augment.ada.rotate=1.0"),
    ),
    "stylegan2": Row(
        config="fer2013_stylegan2_small:smoke",
        whole=("guide.reference=", "guide.weight=0", "augment.ada.preset=color", "augment.control.p=0.5"),
        smooth=SMOOTH,
    ),
}  # fmt: skip
task_names = pytest.mark.parametrize("name", TASKS)
classifiers = pytest.mark.parametrize("name", [name for name, row in TASKS.items() if row.of_images])
generators = pytest.mark.parametrize("name", [name for name, row in TASKS.items() if not row.of_images])


def test_every_task_is_in_the_table():
    files = (ROOT / "fergen" / "tasks").glob("*.py")
    tasks = {configs.load(row.config).task for row in TASKS.values() if row.config != str(TINY)} | {"classifier"}
    assert tasks == {p.stem for p in files if hasattr(setup.task_module(p.stem), "build")}


def at_tiny(config, tiny_set):
    return f"{config}:{tiny_set}" if config == str(TINY) else config


@pytest.fixture
def made(tiny_set):
    """A function of (name, overrides) that builds a task, a batch and the batch's shapes."""

    def make(name, overrides, channels=1, **model):
        smaller = narrow.of(TASKS[name].config) if TASKS[name].config != str(TINY) else ()
        fields = [f"data.name={tiny_set}", *smaller, *overrides]
        config = configs.load(at_tiny(TASKS[name].config, tiny_set), fields)
        with config.unlocked():
            config.model.update(model)
        split = dataset.load(tiny_set, "train")
        images = np.repeat(np.asarray(split.images), channels, axis=-1)
        spec = dataclasses.replace(
            split.spec,
            image_shape=images.shape[1:],
            mean=split.spec.mean * channels,
            std=split.spec.std * channels,
        )
        split = dataclasses.replace(split, images=images, spec=spec)
        task = setup.task_module(config.task).build(config, split, STEPS, {})
        batch = {"image": images[:BATCH], "label": np.asarray(split.labels[:BATCH])}
        return task, batch, {k: jax.ShapeDtypeStruct(v.shape, v.dtype) for k, v in batch.items()}

    return make


def same(tree, other):
    ours, theirs = leaf_names(tree), leaf_names(other)
    return ours.keys() == theirs.keys() and all(np.array_equal(ours[n], theirs[n]) for n in ours)


@task_names
def test_step_is_pure_and_deterministic(name, made):
    """The same inputs give the same bits, also in a task built anew; the key is the only source of chance."""
    task, batch, shapes = made(name, TASKS[name].whole)
    key = jax.random.key(3)
    state = jax.jit(lambda k: task.init(k, shapes))(key)
    before = jax.tree.map(np.array, (state, batch))
    step = jax.jit(task.step)
    once, metrics = step(state, batch, key, {})
    assert same(before, (state, batch)), "a step leaves its inputs alone"
    assert same((once, metrics), step(state, batch, key, {}))

    # What a hidden generator or counter would change: its seed, and how often it was asked.
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    again, batch, shapes = made(name, TASKS[name].whole)
    fresh = jax.jit(lambda k: again.init(k, shapes))(key)
    assert same(state, fresh)
    assert same((once, metrics), jax.jit(again.step)(fresh, batch, key, {}))

    other, _ = step(state, batch, jax.random.key(4), {})
    assert not same(once, other), "augmentation and dropout draw from the key"
    assert int(once.step) == int(state.step) + 1
    assert all(np.isfinite(value) for value in metrics.values())


@task_names
def test_nothing_large_is_compiled_in(name, made):
    """Parameters and data are arguments, never constants of the compiled call."""
    task, batch, shapes = made(name, TASKS[name].whole)
    key = jax.random.key(0)
    state = jax.eval_shape(lambda k: task.init(k, shapes), key)
    traced = [jax.make_jaxpr(task.step)(state, shapes, key, {})]
    variables = jax.eval_shape(task.weights, state)
    traced += [jax.make_jaxpr(task.predict[f])(variables, shapes["image"]) for f in TASKS[name].of_images]
    for jaxpr in traced:
        assert sum(np.asarray(c).nbytes for c in jaxpr.consts) < 1024


@classifiers
def test_overfits_one_batch(name, made):
    task, batch, shapes = made(name, TASKS[name].plain, **TASKS[name].model)
    state = jax.jit(lambda k: task.init(k, shapes))(jax.random.key(0))
    step, losses = jax.jit(task.step, donate_argnums=0), []
    for i in range(STEPS):
        state, metrics = step(state, batch, jax.random.key(i), {})
        losses.append(float(metrics["loss"]))
    assert losses[0] > 1
    assert losses[-1] < 0.05 * losses[0]


@task_names
def test_one_and_eight_devices_agree(name, made):
    task, batch, shapes = made(name, (*TASKS[name].whole, *TASKS[name].smooth))
    key = jax.random.key(0)
    ends = []
    assert jax.device_count() == 8
    for devices in (jax.devices()[:1], jax.devices()):
        mesh = meshes.build(devices)
        whole = meshes.replicated(mesh)
        state = jax.jit(lambda k: task.init(k, shapes), out_shardings=whole)(key)
        step = jax.jit(task.step, out_shardings=(whole, whole))
        placed, seen = meshes.place(batch, meshes.split(mesh)), []
        for i in range(3):
            state, metrics = step(state, placed, jax.random.fold_in(key, i), {})
            # Collectives of several virtual devices can stall when dispatches pile up.
            seen.append(jax.device_get(metrics))
        ends.append((seen, leaf_names(jax.device_get(state))))
    (one, of_one), (eight, of_eight) = ends
    for a, b in zip(one, eight):
        for metric in a:
            np.testing.assert_allclose(a[metric], b[metric], rtol=1e-4, err_msg=metric)
    for leaf in of_one:
        np.testing.assert_allclose(of_one[leaf], of_eight[leaf], rtol=1e-3, atol=1e-5, err_msg=leaf)


@classifiers
@pytest.mark.parametrize("channels", [1, 3])
def test_predict_takes_what_users_have(name, channels, made):
    """uint8 and float, any size, gray and colour: finite float32, a row per image, each image for itself."""
    task, batch, shapes = made(name, TASKS[name].whole, channels)
    variables = jax.jit(lambda k: task.weights(task.init(k, shapes)))(jax.random.key(0))
    before = jax.tree.map(np.array, variables)
    rng = np.random.default_rng(0)
    assert set(TASKS[name].of_images) <= set(task.predict)

    def together(variables, images):
        return {f: task.predict[f](variables, images) for f in TASKS[name].of_images}

    predict = jax.jit(together)
    for height, width in ((16, 16), (9, 33)):
        gray = rng.integers(0, 256, (3, height, width, 1), np.uint8)
        colour = np.repeat(gray, 3, axis=-1)
        found = predict(variables, gray)
        for values in found.values():
            assert values.shape[0] == 3
            assert values.dtype == jnp.float32
            assert np.isfinite(values).all()
        for images in (gray / np.float32(127.5) - 1, colour, colour / np.float32(127.5) - 1):
            other = predict(variables, images)
            for f in found:
                np.testing.assert_allclose(found[f], other[f], rtol=1e-3, atol=1e-4, err_msg=f)
        others = np.concatenate([gray[:1], 255 - gray[1:]])
        apart = predict(variables, others)
        for f in found:
            np.testing.assert_allclose(found[f][0], apart[f][0], rtol=1e-3, atol=1e-4)
            assert np.abs(found[f][1:] - apart[f][1:]).max() > 1e-3
    assert same(before, variables)


@generators
def test_a_row_is_a_face_of_its_own(name, made):
    """A row's face depends on its number, its class and the seed alone, and is an image of the set's form."""
    task, batch, shapes = made(name, TASKS[name].whole)
    # Trained a little: fresh networks may end in zeros.
    state, step = jax.jit(lambda k: task.init(k, shapes))(jax.random.key(0)), jax.jit(task.step)
    for i in range(4):
        state, _ = step(state, batch, jax.random.key(i), {})
    variables, spec = task.weights(state), task.spec
    rows, labels = np.arange(6), np.arange(6) % 3

    def faces(rows, labels, **options):
        return sampling.of_rows(task.predict, spec, variables, rows, labels, **options)

    found = faces(rows, labels)
    assert found.shape == (6, *batch["image"].shape[1:])
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, faces(rows, labels))
    # Another batch may round differently by a gray level.
    assert np.abs(found[3:5].astype(int) - faces(rows[3:5], labels[3:5], batch=2)).max() <= 1
    assert (found != faces(rows, labels, seed=1)).any()
    changed = (found != faces(rows, (labels + 1) % 3)).any()
    assert changed == spec["conditional"]
    latents = jax.vmap(task.predict["draw"])(jax.random.split(jax.random.key(0), 512))
    assert latents.shape == (512, *spec["latent"])
    raw = jax.jit(task.predict["sample"])(variables, latents[:6], labels)
    assert raw.dtype == jnp.float32
    assert np.abs(raw).max() <= 1.5
