"""The flow: what its step shows the network, how it samples, and that it learns a batch by heart."""

import dataclasses
import json
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fergen.core import config as configs
from fergen.core.arrays import to_float
from fergen.core.errors import BadInput
from fergen.core.tree import leaf_names
from fergen.data import dataset
from fergen.tasks import flow
from tests.train.conftest import write_set

TINY = (
    *("model.widths=(8,16)", "model.depths=(1,1)", "model.attention=(1,)", "model.head=8", "model.embedding=16"),
    "sampler.steps=3",
)
AUGMENTED = ("augment.mirror=0.5", "augment.p=0.5", "augment.ada.scale=1.0", "augment.ada.rotate=1.0")
BATCH, CLASSES, LESSONS = 16, 7, 250


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    folder = write_set(tmp_path_factory.mktemp("sets") / "tiny", {"train": 96, "validation": 21}, size=8)
    return dataset.load(folder, "train")


def make(train, *overrides, steps=100, fixed=None):
    return flow.build(configs.load("procedural_flow", [*TINY, *overrides]), train, steps, fixed or {})


def batch_of(train, n=BATCH):
    return {"image": np.asarray(train.images[:n]), "label": np.asarray(train.labels[:n])}


def drawn(task, seed=0):
    """Draw weights with numpy: as trained, nothing is zero."""
    rng = np.random.default_rng(seed)
    shapes = flow.shapes_of(task.spec)
    return jax.tree.map(lambda x: (0.3 * rng.normal(size=x.shape)).astype(np.float32), shapes)


@pytest.fixture(scope="module")
def sampled(train):
    """A task, its weights, latents and labels, to sample with."""
    task = make(train)
    latents = np.random.default_rng(1).normal(size=(5, 8, 8, 1)).astype(np.float32)
    return task.spec, drawn(task), latents, np.arange(5, dtype=np.int32)


def sampler(spec, **fields):
    plain = {"shift": 1.0, "interval": (0.0, 1.0)}
    return flow.predict_of({**spec, "sampler": {**spec["sampler"], **plain, **fields}})


class Watched:
    """A network that writes down what it was shown and answers with its only parameter."""

    def __init__(self):
        self.seen = []

    def apply(self, variables, x, time, labels, augmentation, *, train, rngs=None):
        self.seen.append([np.asarray(a) for a in (x, time, labels, augmentation)])
        return jnp.zeros_like(x) + variables["params"]["answer"]


def shown(train, *overrides, batches=60):
    """Return what a step shows the network, over many keys: images, times, labels, augmentation labels; and metrics."""
    task, watched = make(train, *overrides, "ema=0.0"), Watched()
    task = dataclasses.replace(task, module=watched)
    params = {"answer": jnp.zeros(())}
    net = flow.new_net({"params": params}, task.tx, ema=False)
    state = flow.State(step=jnp.zeros((), jnp.int32), nets={"velocity": net})
    metrics = [task.step(state, batch_of(train), jax.random.key(i), {})[1] for i in range(batches)]
    return [np.stack(parts) for parts in zip(*watched.seen)], metrics


def test_labels_are_kept_back_at_the_rate_asked_for(train):
    (_, _, labels, _), metrics = shown(train, "loss.unlabelled=0.1")
    n, missing = labels.size, (labels == CLASSES).sum()
    assert abs(missing / n - 0.1) < 4 * np.sqrt(0.09 / n)
    truth = np.broadcast_to(batch_of(train)["label"], labels.shape)
    np.testing.assert_array_equal(labels[labels < CLASSES], truth[labels < CLASSES])
    assert np.mean([m["labelled"] for m in metrics]) == pytest.approx(1 - missing / n)
    for share in (0.0, 1.0):
        (_, _, labels, _), _ = shown(train, f"loss.unlabelled={share}", batches=2)
        assert ((labels == CLASSES) == bool(share)).all()


def test_images_lie_between_noise_and_normalised_data(train):
    """Near the end of the way the network sees images, at its beginning noise; the loss of the answer 0 is known."""
    spec = train.spec
    data = (to_float(batch_of(train)["image"]) - spec.mean[0]) / spec.std[0]
    (late, *_), metrics = shown(train, "loss.time_mean=10.0", "loss.time_std=0.0", batches=3)
    assert np.abs(late - data).mean() < 1e-3
    (early, *_), _ = shown(train, "loss.time_mean=-10.0", "loss.time_std=0.0", batches=20)
    assert (early.mean(), early.std()) == pytest.approx((0, 1), abs=0.02)
    assert np.abs(early[0] - early[1]).mean() > 0.5, "each step draws its own"
    for m in metrics:
        assert float(m["loss"]) == pytest.approx(1 + np.square(data).mean(), rel=0.1)


def test_only_what_labels_tell_of_is_changed(train):
    """Mirroring is told nowhere; every other change is, and what is told unchanged is."""
    still = ("loss.time_mean=10.0", "loss.time_std=0.0")
    data = (to_float(batch_of(train)["image"]) - train.spec.mean[0]) / train.spec.std[0]
    (x, *_), _ = shown(train, *still, "augment.mirror=0.5", batches=10)
    as_is, mirrored = (np.abs(x - d).mean((2, 3, 4)) < 1e-2 for d in (data, data[:, :, ::-1]))
    assert (as_is ^ mirrored).all()
    assert 0.3 < mirrored.mean() < 0.7
    (x, _, _, told), _ = shown(train, *still, *AUGMENTED, "augment.mirror=0.0", batches=10)
    assert told.shape[-1] == 5  # scale, and cosine and sine of two rotations
    same, untold = np.abs(x - data).mean((2, 3, 4)) < 1e-2, (told == 0).all(-1)
    np.testing.assert_array_equal(same, untold)
    assert 0.1 < untold.mean() < 0.4


def test_guidance_is_a_line_through_two_velocities(sampled):
    """One Euler step from noise shows the velocity: weight 1 is the conditional one, 0 the unconditional one."""
    spec, variables, latents, labels = sampled
    velocity = jax.jit(flow.predict_of(spec)["velocity"])
    start = np.zeros(5, np.float32)
    conditional = velocity(variables, latents, start, labels)
    unconditional = velocity(variables, latents, start, np.full(5, CLASSES))
    assert np.abs(conditional - unconditional).mean() > 0.01

    def first(guidance, **fields):
        predict = sampler(spec, name="euler", steps=50, guidance=guidance, **fields)
        after = jax.jit(predict["sample_step"])(variables, latents, 0, labels)
        return (np.asarray(after) - latents) * 50

    for weight in (0.0, 0.5, 1.0, 3.0):
        expected = unconditional + weight * (conditional - unconditional)
        np.testing.assert_allclose(first(weight), expected, rtol=1e-3, atol=1e-3)
    # Outside of its interval guidance rests: the first step lies at time 0.
    np.testing.assert_allclose(first(3.0, interval=(0.5, 1.0)), conditional, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "heun", "guidance": 1.5, "shift": 2.0},
        {"name": "euler", "guidance": 1.0},
        {"name": "euler", "guidance": 4.0, "interval": (0.3, 0.7)},
    ],
)
def test_sample_is_its_steps(sampled, fields):
    spec, variables, latents, labels = sampled
    predict = sampler(spec, **fields)
    together = jax.jit(predict["sample"])(variables, latents, labels)
    step, x = jax.jit(predict["sample_step"]), latents
    for i in range(spec["sampler"]["steps"]):
        x = step(variables, x, np.int32(i), labels)
    np.testing.assert_allclose(x, together, rtol=1e-3, atol=1e-4)
    assert (together.shape, together.dtype) == ((5, 8, 8, 1), jnp.float32)
    assert np.abs(together).max() <= 1
    assert 0 < np.abs(together).mean() < 1
    # Rows are their own, whatever stands beside them.
    alone = jax.jit(predict["sample"])(variables, latents[2:3], labels[2:3])
    np.testing.assert_allclose(alone[0], together[2], rtol=1e-3, atol=1e-4)


def test_sampling_tells_of_no_augmentation(train):
    task = make(train, *AUGMENTED)
    spec, variables = json.loads(json.dumps(task.spec)), drawn(task)
    assert spec["model"]["augmentations"] == 5
    other = jax.tree.map(np.array, variables)
    other["params"]["augmentation"]["kernel"] += 1
    rng = np.random.default_rng(0)
    latents, labels = rng.normal(size=(2, 8, 8, 1)).astype(np.float32), np.array([0, 3], np.int32)
    predict = flow.predict_of(spec)
    sample = jax.jit(predict["sample"])
    np.testing.assert_array_equal(sample(variables, latents, labels), sample(other, latents, labels))
    velocity, told = jax.jit(predict["velocity"]), np.ones((2, 5), np.float32)
    mine, theirs = (velocity(v, latents, np.zeros(2), labels, told) for v in (variables, other))
    assert np.abs(mine - theirs).max() > 0.01


def test_weights_are_the_shapes_and_the_spec_is_text(train):
    task = make(train, "precision=bfloat16", "ema=0.9")
    state = jax.eval_shape(lambda key: task.init(key, {}), jax.random.key(0))
    spec = json.loads(json.dumps(task.spec))

    def form(tree):
        return {name: (leaf.shape, leaf.dtype) for name, leaf in leaf_names(tree).items()}

    assert form(task.weights(state)) == form(flow.shapes_of(spec))
    assert (spec["latent"], spec["conditional"], sum(spec["prior"])) == ([8, 8, 1], True, pytest.approx(1))
    latent = jax.eval_shape(flow.predict_of(spec)["draw"], jax.random.key(0))
    assert (latent.shape, latent.dtype) == ((8, 8, 1), jnp.float32)


def test_half_precision_samples_are_close(sampled):
    spec, variables, latents, labels = sampled
    half = {**spec, "model": {**spec["model"], "dtype": "bfloat16"}}
    found = [jax.jit(flow.predict_of(s)["sample"])(variables, latents, labels) for s in (spec, half)]
    assert found[1].dtype == jnp.float32
    assert 0 < np.abs(found[0] - found[1]).mean() < 0.05


def fake_guide():
    """A frozen classifier that reads the mean of each seventh of the image."""

    def logits(variables, images):
        return variables["scale"] * images.reshape(len(images), -1)[:, : 7 * 9].reshape(len(images), 7, 9).mean(-1)

    classes = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
    spec = {"task": "classifier", "model": {"name": "seventh"}, "classes": classes}
    return SimpleNamespace(predict={"logits": logits}, spec=spec, hash="c" * 64, name="runs/guide")


def test_the_guide_takes_part_and_is_recorded(train):
    overrides = ("guide.reference=runs/guide", "guide.weight=0.5", "ema=0.9")
    task = make(train, *overrides, fixed={"guide": fake_guide()})
    assert task.spec["guide"] == {"name": "guide", "hash": "c" * 64, "model": {"name": "seventh"}}
    assert flow.references(configs.load("procedural_flow", overrides[:1])) == {"guide": "runs/guide"}
    state = jax.jit(lambda key: task.init(key, {}))(jax.random.key(0, impl="rbg"))
    step = jax.jit(task.step)
    _, metrics = step(state, batch_of(train), jax.random.key(0), {"guide": {"scale": jnp.float32(5)}})
    assert float(metrics["loss/guide"]) > 0
    assert float(metrics["loss"]) == pytest.approx(float(metrics["loss/velocity"] + metrics["loss/guide"]), rel=1e-5)
    # One that sees nothing costs log 7 of every row, in proportion to its time, where the label was not kept back.
    _, blind = step(state, batch_of(train), jax.random.key(0), {"guide": {"scale": jnp.float32(0)}})
    assert 0 < float(blind["loss/guide"]) < 0.5 * np.log(7)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("sampler.steps=0", "sampler.steps: expected a whole number of at least 1, found 0"),
        ("sampler.name=ddim", "sampler.name: expected one of euler, heun, found 'ddim'"),
        ("sampler.guidance=-1.0", "sampler.guidance: expected a number of at least 0, found -1.0"),
        ("sampler.interval=(0.7,0.3)", r"sampler.interval: expected two times in order within \[0, 1\]"),
        ("sampler.shift=0.0", "sampler.shift: expected a number of at least 0.001"),
        ("loss.unlabelled=1.5", "loss.unlabelled: expected a number from 0 to 1, found 1.5"),
        ("loss.time_std=-1.0", "loss.time_std: expected a number from 0 to 10"),
        ("augment.p=0.5", r"--config.augment.p=0.5: expected an operation in --config.augment.ada to apply"),
        ("model.widths=(8,12)", "model unet: expected widths that divide by 8"),
        ("model.name=resent", "model 'resent': expected the name of a file in fergen/models"),
        ("guide.weight=0.5", "--config.guide.reference='' with --config.guide.weight=0.5"),
    ],
)
def test_fields_are_checked(train, override, said):
    with pytest.raises(BadInput, match=said):
        make(train, override)


def test_a_sampler_of_other_fields_is_refused(sampled):
    spec = sampled[0]
    with pytest.raises(BadInput, match="sampler.eta: expected the fields name, steps, guidance, interval, shift"):
        sampler(spec, eta=0.5)


@pytest.mark.slow
def test_learns_eight_faces_by_heart(train):
    """The mean distance from each face to its nearest sample falls to a quarter of what it is before training."""
    task = make(
        train, "model.widths=(32,64)", "model.head=32", "model.embedding=64", "loss.unlabelled=0.0", "ema=0.99",
        "augment.mirror=0.0", "optim.lr=3e-3", "sampler.guidance=1.0", "sampler.steps=12", steps=LESSONS,
    )  # fmt: skip
    batch = batch_of(train, 8)
    many = {name: np.repeat(values, 4, axis=0) for name, values in batch.items()}
    state = jax.jit(lambda key: task.init(key, {}))(jax.random.key(0, impl="rbg"))
    latents = np.random.default_rng(0).normal(size=(64, 8, 8, 1)).astype(np.float32)
    labels = np.repeat(batch["label"], 8)
    step = jax.jit(task.predict["sample_step"])
    faces = to_float(batch["image"])

    def distance(state):
        x = latents
        for i in range(12):
            x = step(task.weights(state), x, np.int32(i), labels)
        return np.sqrt(np.square(faces[:, None] - np.asarray(x)[None]).sum((2, 3, 4))).min(1).mean()

    before, train_step = distance(state), jax.jit(task.step, donate_argnums=0)
    for i in range(LESSONS):
        state, metrics = train_step(state, many, jax.random.key(i), {})
        jax.block_until_ready(metrics)
    assert distance(state) <= 0.25 * before
