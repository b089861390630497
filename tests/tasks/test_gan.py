"""The GAN task: whose loss moves which net, when penalties come, what labels and guides do, and that it learns."""

import dataclasses
import json
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from einops import reduce

from configs.defaults import experiment
from configs.defaults import gan as defaults
from fergen.augment import ada_settings
from fergen.core.arrays import to_float
from fergen.core.errors import BadInput
from fergen.core.keys import named
from fergen.core.tree import leaf_names
from fergen.data import dataset
from fergen.data.procedural import faces
from fergen.models.gan_critic import CONDITIONINGS
from fergen.nn import spectral_norm
from fergen.tasks import gan
from tests.train.conftest import write_set

KEY = jax.random.key(3, impl="rbg")  # compiles several times faster than the default generator


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    return dataset.load(write_set(tmp_path_factory.mktemp("sets") / "tiny", {"train": 96}), "train")


def make(train, fixed=None, **fields):
    """A small GAN; a field is named group__field."""
    c = defaults.config("dcgan")
    c.model.update(latent=6, embedding=4, width=4, widest=8)
    c.augment.mirror = 0.0
    for name, value in fields.items():
        *groups, field = name.split("__")
        group = c
        for part in groups:
            group = group[part]
        group[field] = value
    return gan.build(c, train, 100, fixed or {})


def batch_of(train, n=16):
    return {"image": np.asarray(train.images[:n]), "label": np.asarray(train.labels[:n])}


def started(task):
    return jax.jit(lambda key: task.init(key, {}))(KEY)


def run(task, batch, steps=1, state=None, frozen=None):
    """Some steps; returns the states after each, the first one before, and the metrics."""
    parts = {name: jax.jit(part) for name, part in task.parts.items()}
    states, metrics = [started(task) if state is None else state], []
    for i in range(steps):
        (part,) = task.due(int(states[-1].step))
        state, seen = parts[part](states[-1], batch, jax.random.fold_in(KEY, i), frozen or {})
        states.append(state)
        metrics.append({name: float(value) for name, value in seen.items()})
    return states, metrics


def same(tree, other):
    ours, theirs = leaf_names(tree), leaf_names(other)
    return ours.keys() == theirs.keys() and all(np.array_equal(ours[n], theirs[n]) for n in ours)


def still(task, net):
    """The task with one net's optimiser standing still."""
    return dataclasses.replace(task, tx={**task.tx, net: optax.set_to_zero()})


def test_each_loss_moves_its_own_net_alone(train):
    """With the other net's optimiser still, a net ends where it does otherwise; but the generator sees the critic."""
    task, batch = make(train, model__conditioning="auxiliary"), batch_of(train)
    after = {
        which: run(t, batch)[0][-1].nets
        for which, t in {"both": task, **{net: still(task, net) for net in gan.NETS}}.items()
    }
    before = started(task).nets
    for net in gan.NETS:
        assert same(after[net][net].params, before[net].params)
        assert not same(after["both"][net].params, before[net].params)
    assert same(after["generator"]["critic"].params, after["both"]["critic"].params)
    assert not same(after["critic"]["generator"].params, after["both"]["generator"].params), "the critic goes first"


CASES = {
    "none": {"model__conditioning": "none"},
    "concat_hinge_spectral": {"model__conditioning": "concat", "loss__kind": "hinge", "model__spectral_norm": True},
    "projection_smoothed_mismatch": {"loss__smoothing": 0.1, "loss__mismatch": 0.5},
    "projection_relativistic_every_step": {
        "loss__kind": "relativistic", "loss__r1": 0.1, "loss__r2": 0.1, "loss__interval": 1,
    },
    "auxiliary_without_penalty": {"model__conditioning": "auxiliary", "loss__r1": 0.0},
    "reacgan_hinge": {"model__conditioning": "reacgan", "loss__kind": "hinge"},
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_every_game_moves_every_leaf_and_says_what_it_did(case, train):
    task, batch = make(train, **CASES[case]), batch_of(train)
    (before, after), (metrics,) = run(task, batch)
    assert all(np.isfinite(value) for value in metrics.values())
    assert metrics["loss"] == pytest.approx(metrics["loss/critic"] + metrics["loss/generator"], rel=1e-5)
    for net, moved in (("critic", before.nets["critic"]), ("generator", before.nets["generator"])):
        new = leaf_names(after.nets[net].params)
        unmoved = {name for name, old in leaf_names(moved.params).items() if np.array_equal(old, new[name])}
        # Real and fake pull it to either side with the same force: always in pairs, within the margins in hinge.
        assert unmoved <= {"logit/bias"}, net
    classifies = "auxiliary" in case or "reacgan" in case
    assert ("critic/classes" in metrics) == ("generator/classes" in metrics) == classifies
    assert ("critic/mismatch" in metrics) == ("mismatch" in case)
    assert ("critic/penalty" in metrics) == ("without_penalty" not in case)
    assert (spectral_norm.COLLECTION in after.nets["critic"].collections) == ("spectral" in case)
    assert json.loads(json.dumps(task.spec)) == task.spec
    assert task.spec["conditional"] == (case != "none")


def test_loss_is_that_of_the_critics_own_logits(train):
    """The first step's losses, computed again from `predict`-like calls of the nets outside the step."""
    task, batch = make(train), batch_of(train)
    (before, after), (metrics,) = run(still(still(task, "critic"), "generator"), batch)
    d, g = before.nets["critic"], before.nets["generator"]
    key, labels = jax.random.fold_in(KEY, 0), jnp.asarray(batch["label"])

    @jax.jit
    def again():
        latents = (
            jax.random.normal(named(key, f"{who}/latents"), (16, *task.spec["latent"]))
            for who in ("critic", "generator")
        )
        variables = {"params": g.params, **g.collections}
        first, second = (
            task.generator.apply(variables, z, labels, train=True, mutable=["batch_stats"])[0] for z in latents
        )
        return [
            task.critic.apply({"params": d.params}, x, labels).logits for x in (to_float(batch["image"]), first, second)
        ]

    real, fake, last = (np.asarray(x) for x in again())
    expected = np.log1p(np.exp(-real)).mean() + np.log1p(np.exp(fake)).mean()
    assert metrics["critic/adversarial"] == pytest.approx(expected, rel=1e-4)
    assert metrics["generator/adversarial"] == pytest.approx(np.log1p(np.exp(-last)).mean(), rel=1e-4)
    assert metrics["critic/real"] == pytest.approx(real.mean(), rel=1e-3, abs=1e-5)
    # The running spread is a tenth of the first batch's.
    spread = task.critic.apply({"params": d.params}, to_float(batch["image"]), labels).spread
    assert after.nets["critic"].collections["batch_stats"]["spread"] == pytest.approx(
        0.1 * np.asarray(spread), rel=1e-4
    )


def test_penalties_come_every_interval_and_as_many_times_as_strong(train):
    """gamma / 2 of the mean squared gradient at the real images, once in three steps, threefold."""
    batch = batch_of(train)
    states, metrics = run(make(train, loss__r1=2.0, loss__interval=3), batch, steps=4)
    task = make(train, loss__r1=2.0, loss__interval=3)
    assert [m.get("critic/penalty", 0) > 0 for m in metrics] == [True, False, False, True]
    images, labels = to_float(batch["image"]), jnp.asarray(batch["label"])
    params = states[0].nets["critic"].params
    grads = jax.jit(jax.grad(lambda x: task.critic.apply({"params": params}, x, labels).logits.sum()))(images)
    expected = 3 * 2.0 / 2 * np.square(grads).sum((1, 2, 3)).mean()
    assert metrics[0]["critic/penalty"] == pytest.approx(expected, rel=1e-3)
    # R2 is the same on fakes: it adds to R1, and alone it is what R1 leaves.
    both, only = (run(make(train, loss__r1=r1, loss__r2=2.0), batch)[1][0]["critic/penalty"] for r1 in (2.0, 0.0))
    assert both - only == pytest.approx(8 / 3 * expected, rel=1e-3)
    assert only > 0


def test_labels_of_fakes(train):
    labels = jnp.zeros((4000,), jnp.int32)
    assert (make(train).asked(KEY, labels) == labels).all()
    few = dataclasses.replace(train, rows={"label": np.array([0, 0, 0, 2], np.int32)})
    for kind, expected in {"prior": [0.75, 0, 0.25], "balanced": [0.5, 0, 0.5]}.items():
        task = make(few, fake_labels=kind)
        drawn = np.bincount(task.asked(KEY, labels), minlength=7) / 4000
        np.testing.assert_allclose(drawn, [*expected, 0, 0, 0, 0], atol=0.03)
    assert task.spec["prior"] == [0.75, 0, 0.25, 0, 0, 0, 0]


def test_average_and_weights_for_use(train):
    """The generator's average with its batch statistics, the critic as it is; both ready for `predict_of` alone."""
    task, batch = make(train, ema=0.9, model__spectral_norm=True), batch_of(train)
    states, _ = run(task, batch, steps=2)
    weights = task.weights(states[-1])
    g, d = states[-1].nets["generator"], states[-1].nets["critic"]
    assert set(weights) == {"params", "batch_stats", spectral_norm.COLLECTION}
    assert same(weights["params"]["critic"], d.params)
    assert same(weights["params"]["generator"], g.ema["params"])
    assert not same(g.ema["params"], g.params)
    # Step 1 of two: decay min(0.9, 2 / 11) after the copy of decay 1 / 10.
    old, first = (leaf_names(states[i].nets["generator"].params)["base/kernel"] for i in (0, 1))
    expected = old + 0.9 * (first - old)
    expected += (1 - 2 / 11) * (leaf_names(g.params)["base/kernel"] - expected)
    np.testing.assert_allclose(g.ema["params"]["base"]["kernel"], expected, rtol=1e-4, atol=1e-6)
    shapes = leaf_names(gan.shapes_of(task.spec))
    assert {n: (x.shape, x.dtype) for n, x in shapes.items()} == {
        n: (x.shape, x.dtype) for n, x in leaf_names(weights).items()
    }
    # Exported without the critic there is a generator alone.
    alone = {**task.spec, "nets": ["generator"]}
    assert set(gan.predict_of(alone)) == {"draw", "sample"}
    assert {n.split("/")[1] for n in leaf_names(gan.shapes_of(alone))} == {"generator"}


@pytest.mark.parametrize("conditioning", ["none", "projection"])
def test_samples_and_judgements_are_of_each_row_alone(conditioning, train):
    task = make(train, model__conditioning=conditioning, model__spectral_norm=True)
    weights, rng = task.weights(started(task)), np.random.default_rng(0)
    latents = jax.vmap(task.predict["draw"])(jax.random.split(KEY, 5))
    assert latents.shape == (5, *task.spec["latent"])
    labels = jnp.array([0, 1, 2, 3, 4])
    sample, critic = (jax.jit(task.predict[name]) for name in ("sample", "critic"))
    images = sample(weights, latents, labels)
    assert (images.shape, images.dtype) == ((5, 16, 16, 1), jnp.float32)
    np.testing.assert_allclose(sample(weights, latents[1:3], labels[1:3]), images[1:3], atol=1e-5)
    changed = np.abs(sample(weights, latents, labels + 1) - images).max()
    assert (changed > 1e-3) == (conditioning != "none")

    found = rng.integers(0, 256, (5, 16, 16, 1), np.uint8)
    logits = critic(weights, found, labels)
    assert (logits.shape, logits.dtype) == ((5,), jnp.float32)
    np.testing.assert_allclose(critic(weights, found[1:3], labels[1:3]), logits[1:3], rtol=1e-3, atol=1e-4)
    # Users' images: gray or colour, uint8 or float, any size.
    colour = np.repeat(found, 3, axis=3) / np.float32(127.5) - 1
    np.testing.assert_allclose(critic(weights, colour, labels), logits, rtol=1e-3, atol=1e-4)
    assert np.isfinite(critic(weights, rng.integers(0, 256, (5, 9, 33, 1), np.uint8), labels)).all()


def test_spectral_norm_bounds_the_critics_kernels(train):
    """One power iteration per step in the state; the kernels that are applied approach the norm 1."""
    task, batch = make(train, model__spectral_norm=True, optim__lr=1e-5), batch_of(train)
    states, _ = run(task, batch, steps=30)
    d = states[-1].nets["critic"]
    assert not same(d.collections, states[0].nets["critic"].collections)
    vectors = d.collections[spectral_norm.COLLECTION]
    applied, _ = spectral_norm.normalise(d.params, vectors, iterations=0)
    kernel = np.asarray(applied["features"]["kernel"])
    assert np.linalg.svd(kernel, compute_uv=False)[0] == pytest.approx(1, abs=0.02)


def test_augmentation_reaches_the_critic_and_its_strength_moves(train):
    batch = batch_of(train)
    assert make(train).init(KEY, {}).scalars == {}
    # No mean sign is above 1, so p falls by batch / (1000 kimg) a step, at the end of each interval.
    task = make(
        train, augment__ada__xint=1.0, augment__ada__brightness=1.0, augment__control__p=1.0,
        augment__control__cap=1.0, augment__control__target=1.0, augment__control__kimg=1.0,
        augment__control__interval=2,
    )  # fmt: skip
    states, metrics = run(task, batch, steps=2)
    assert [m["ada_p"] for m in metrics] == pytest.approx([1.0, 1 - 2 * 16 / 1000])
    params, labels = states[0].nets["critic"].params, jnp.asarray(batch["label"])
    plain = float(task.critic.apply({"params": params}, to_float(batch["image"]), labels).logits.mean())
    assert abs(metrics[0]["critic/real"] - plain) > 1e-4
    off = states[0].replace(scalars={**states[0].scalars, "ada_p": jnp.zeros(())})
    assert run(task, batch, state=off)[1][0]["critic/real"] == pytest.approx(plain, rel=1e-3, abs=1e-5)


def test_the_config_has_every_field_of_the_augmentation():
    assert set(experiment.ADA) == {field.name for field in dataclasses.fields(ada_settings.Settings)}


def guide(classes=("happy", "neutral", "sad", "surprise", "fear", "disgust", "angry"), **functions):
    """A frozen classifier whose logits are brightness times its weights."""

    def logits(variables, images):
        return images.mean((1, 2, 3))[:, None] * variables["w"]

    return SimpleNamespace(
        name="runs/guide", hash="ab", spec={"task": "classifier", "model": {"name": "cnn"}, "classes": list(classes)},
        predict={"logits": logits, **functions},
    )  # fmt: skip


def test_guide_teaches_the_generator_alone_in_its_own_vocabulary(train):
    """A guide that reads light as happy, asked for happy alone: the generator brightens, the critic learns the same."""
    only = dataclasses.replace(train, rows={"label": np.full(96, train.spec.classes.index("happy"), np.int32)})
    batch = batch_of(only)
    fixed = {"guide": guide()}
    # The guide's first class is happy; ours is the fourth.
    frozen = {"guide": {"w": jnp.array([20.0, 0, 0, 0, 0, 0, 0])}}
    plain = make(only)
    task = make(only, fixed, guide__reference="runs/guide", guide__weight=5.0)
    assert task.spec["guide"] == {"name": "guide", "hash": "ab", "model": {"name": "cnn"}}
    config = defaults.config("dcgan")
    assert gan.references(config) == {}
    config.guide.reference = "runs/guide"
    assert gan.references(config) == {"guide": "runs/guide"}
    states, metrics = run(task, batch, steps=12, frozen=frozen)
    others, _ = run(plain, batch)
    assert same(states[1].nets["critic"].params, others[1].nets["critic"].params)
    assert not same(states[1].nets["generator"].params, others[1].nets["generator"].params)
    # The views brighten and darken by chance, so that not the losses of single steps tell.
    light = [task.generate(g.params, g.collections, KEY, batch["label"])[0].mean()
             for g in (states[0].nets["generator"], states[-1].nets["generator"])]  # fmt: skip
    assert light[1] > light[0] + 0.05
    assert metrics[0]["generator/guide"] > 0


@pytest.mark.parametrize(
    ("fields", "fixed", "words"),
    [
        ({"loss__kind": "wasserstein"}, {}, "loss.kind=wasserstein: expected one of logistic, hinge, relativistic"),
        ({"loss__r1": -1.0}, {}, "loss.r1: expected a number of at least 0"),
        ({"loss__interval": 0}, {}, "loss.interval: expected a whole number"),
        ({"loss__smoothing": 1.5}, {}, "loss.smoothing"),
        ({"loss__mismatch": 0.5, "model__conditioning": "concat"}, {}, "loss.mismatch=0.5: expected 0"),
        ({"loss__kind": "relativistic", "fake_labels": "prior"}, {}, "fake_labels=prior: expected batch"),
        ({"fake_labels": "mine"}, {}, "fake_labels=mine: expected batch, prior or balanced"),
        ({"model__name": "biggan"}, {}, "model 'biggan': expected the name of a file"),
        ({"model__name": "cnn"}, {}, "model 'cnn'"),
        ({"augment__control__target": 2.0}, {}, "augment.control.target"),
        ({"loss__kind": "relativistic", "augment__ada__preset": "bgc"}, {}, "adaptive=True: expected False for the"),
        ({"augment__mirror": 2.0}, {}, "augment.mirror"),
        ({"augment__ada__preset": "strong"}, {}, "ada.preset"),
        ({"guide__weight": 1.0}, {}, "expected a reference and a weight above 0, or neither"),
        ({"guide__reference": "runs/guide"}, {"guide": guide()}, "weight=0: expected a reference and a weight"),
        (
            {"guide__reference": "runs/guide", "guide__weight": 1.0, "model__conditioning": "none"},
            {"guide": guide()},
            "no labels to be guided to",
        ),
        (
            {"guide__reference": "runs/guide", "guide__weight": 1.0},
            {"guide": guide(classes=("happy", "sad", "angry", "neutral", "surprise"))},
            "the guide knows happy, sad, angry, neutral, surprise, not disgust, fear",
        ),
    ],
)
def test_options_are_checked(fields, fixed, words, train):
    with pytest.raises(BadInput, match=words.replace("(", r"\(")):
        make(train, fixed, **fields)


def nearest(samples, images):
    """Distance from each image to its nearest sample."""
    return np.sqrt(np.square(images[:, None] - samples[None]).sum((2, 3, 4))).min(1)


@pytest.mark.slow
@pytest.mark.parametrize("conditioning", CONDITIONINGS)
def test_learns_one_batch_by_heart(conditioning, train):
    """Eight faces, some of one class: the mean distance of a face to its nearest sample falls to a quarter."""
    drawn = faces.draw(np.arange(8), size=32, channels=1)
    pixels = reduce(drawn.images.astype(np.float32), "n (h i) (w j) c -> n h w c", "mean", i=2, j=2).astype(np.uint8)
    split = dataclasses.replace(train, images=pixels, rows={"label": drawn.labels})
    task = make(
        split, model__conditioning=conditioning, model__latent=16, model__width=16, model__widest=64, ema=0.9,
        optim__lr=1e-3, optim__schedule__final=1.0,
    )  # fmt: skip
    state, step = started(task), jax.jit(task.step, donate_argnums=0)
    sample = jax.jit(task.predict["sample"])
    latents = jax.vmap(task.predict["draw"])(jax.random.split(KEY, 256))
    labels = jnp.asarray(np.repeat(drawn.labels, 32))
    images = to_float(pixels)
    before = nearest(np.asarray(sample(task.weights(state), latents, labels)), images).mean()
    batch, after = {"image": pixels, "label": drawn.labels}, before
    for i in range(2000):
        state, _ = step(state, batch, jax.random.fold_in(KEY, i), {})
        if i % 200 == 199:
            after = nearest(np.asarray(sample(task.weights(state), latents, labels)), images).mean()
            if after <= 0.25 * before:
                break
    assert after <= 0.25 * before
