"""A GAN that begins as a decoder and whose critic sees feature maps: which step trains what, and with which loss."""

import dataclasses
import json
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from einops import reduce

from configs.defaults import cvae as cvae_defaults
from configs.defaults import gan as defaults
from fergen.core import mesh as meshes
from fergen.core.arrays import to_float
from fergen.core.errors import BadInput
from fergen.core.tree import leaf_names
from fergen.data import dataset
from fergen.data.procedural import faces
from fergen.models.gan_critic import CONDITIONINGS
from fergen.tasks import classifier, cvae, gan
from tests.train.conftest import write_set

KEY = jax.random.key(3, impl="rbg")  # compiles several times faster than the default generator
STEPS = 20


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    return dataset.load(write_set(tmp_path_factory.mktemp("sets") / "tiny", {"train": 96}), "train")


@pytest.fixture(scope="module")
def eye(train):
    """A frozen classifier of random weights: (what a task is given of it, its variables)."""
    spec = {
        "task": "classifier",
        "model": {"name": "cnn_simple", "filters": [4, 6], "hidden": 8},
        "classes": list(train.spec.classes),
        "image": {"height": 16, "width": 16, "channels": 1},
        "mean": [0.0],
        "std": [0.5],
    }
    rng = np.random.default_rng(0)
    variables = jax.tree.map(
        lambda x: (
            rng.uniform(0.2, 0.5, x.shape).astype(np.float32)
            * (1 if len(x.shape) == 1 else rng.choice([-1, 1], x.shape))
        ),
        classifier.shapes_of(spec),
    )
    return SimpleNamespace(name="runs/eye", hash="ee", spec=spec, predict=classifier.predict_of(spec)), variables


def make(train, fixed=None, share=0.2, steps=STEPS, **fields):
    """A small GAN; a field is named group__field."""
    c = defaults.config()
    c.model.update(latent=6, widths=(4, 8), depths=(1, 1), prior=8, width=4, widest=8)
    c.maps.layers = ("stage1", "stage2")
    c.start.update(share=share, warmup=2)
    c.scan = 1
    c.start.optim.update(name="adam", lr=2e-3, accumulate=1)
    c.augment.mirror = 0.0
    for name, value in fields.items():
        *groups, field = name.split("__")
        group = c
        for part in groups:
            group = group[part]
        group[field] = value
    return gan.build(c, train, steps, {"maps": fixed} if fixed else {})


def batch_of(train, n=16):
    return {"image": np.asarray(train.images[:n]), "label": np.asarray(train.labels[:n])}


def started(task):
    return jax.jit(lambda key: task.init(key, {}))(KEY)


def run(task, batch, steps, frozen=None, keep=None):
    """The states after each step, the first one before, and the metrics; or the states after so many steps alone."""
    parts = {name: jax.jit(part) for name, part in task.parts.items()}
    state, metrics = started(task), []
    states = [state]
    for i in range(steps):
        (name,) = task.due(i)
        state, seen = parts[name](state, batch, jax.random.fold_in(KEY, i), frozen or {})
        if keep is None or i + 1 in keep:
            states.append(state)
            metrics.append({name: float(value) for name, value in seen.items()})
    return states, metrics


def moved(before, after):
    old, new = leaf_names(before), leaf_names(after)
    return {name for name in old if not np.array_equal(old[name], new[name])}


def test_the_start_trains_the_decoder_then_the_game_begins(train, eye):
    """Four steps of 20: encoder and generator learn, the critic waits; then the encoder rests and the prior with it."""
    task = make(train, eye[0], ema=0.5)
    assert [task.due(step) for step in (3, 4)] == [("start",), ("game",)]
    states, metrics = run(task, batch_of(train), 6, {"maps": eye[1]})
    for i, (before, after) in enumerate(zip(states, states[1:])):
        begins = i < 4
        assert int(after.step) == i + 1
        changed = {name: moved(net.params, after.nets[name].params) for name, net in before.nets.items()}
        assert bool(changed["encoder"]) == begins, i
        assert bool(changed["critic"]) != begins, i
        assert any(name.startswith("decoder/") for name in changed["generator"]), i
        assert any(name.startswith("prior/") for name in changed["generator"]) == begins, i
        assert ({"grain/kernel", "conv/kernel"} <= changed["generator"]) != begins, i
        assert moved(before.nets["generator"].ema, after.nets["generator"].ema), i
        assert ("start/reconstruction" in metrics[i]) == begins
        assert ("critic/adversarial" in metrics[i]) != begins
        assert all(np.isfinite(value) for value in metrics[i].values())
    # Each phase has a schedule of its own: both warm up.
    rates = [m["learning_rate"] for m in metrics]
    assert rates[0] == pytest.approx(float(task.start.rate(0)))
    assert rates[4:] == pytest.approx([float(task.rate(0)), float(task.rate(1))])
    # Handed on are generator and critic.
    assert set(task.weights(states[-1])["params"]) == {"generator", "critic"}
    shapes = gan.shapes_of(json.loads(json.dumps(task.spec)))
    assert leaf_names(task.weights(states[-1])).keys() == leaf_names(shapes).keys()


def test_an_unconditional_one_learns_and_draws_the_same_whatever_the_labels(train):
    task, batch = make(train, share=0.5, steps=2, model__conditioning="none"), batch_of(train)
    others = {**batch, "label": (batch["label"] + 1) % 7}
    ends = [run(task, each, 2, keep=(2,))[0][-1] for each in (batch, others)]
    assert not moved(ends[0].nets, ends[1].nets)
    latents = jax.vmap(task.predict["draw"])(jax.random.split(KEY, 2))
    one, other = (task.predict["sample"](task.weights(ends[0]), latents, jnp.full(2, label)) for label in (0, 3))
    np.testing.assert_array_equal(one, other)


def test_phases_fill_whole_dispatches(train):
    """A fifth of 20 steps, five per dispatch, is one dispatch; a run of one dispatch is the game's alone."""
    task = make(train, scan=5)
    assert [task.due(step) for step in (4, 5)] == [("start",), ("game",)]
    assert set(make(train, scan=20).parts) == {"game"}
    assert set(make(train, share=0.0).parts) == {"game"}


def test_one_and_eight_devices_agree_from_the_start(train, eye):
    # Adam with a large epsilon: close gradients give close updates.
    task = make(train, eye[0], start__optim__eps=1e3, optim__eps=1e3)
    batch, key, ends = batch_of(train), jax.random.key(0), []
    for devices in (jax.devices()[:1], jax.devices()):
        mesh = meshes.build(devices)
        whole = meshes.replicated(mesh)
        state = jax.jit(lambda key: task.init(key, {}), out_shardings=whole)(key)
        placed, frozen, seen = meshes.place(batch, meshes.split(mesh)), meshes.place(eye[1], whole), []
        for part in task.parts.values():
            step = jax.jit(part, out_shardings=(whole, whole))
            state, metrics = jax.block_until_ready(step(state, placed, key, {"maps": frozen}))
            seen.append(jax.device_get(metrics))
        ends.append((seen, leaf_names(jax.device_get(state))))
    (one, of_one), (eight, of_eight) = ends
    for a, b in zip(one, eight):
        for metric in a:
            np.testing.assert_allclose(a[metric], b[metric], rtol=1e-3, err_msg=metric)
    for leaf in of_one:
        np.testing.assert_allclose(of_one[leaf], of_eight[leaf], rtol=1e-3, atol=1e-5, err_msg=leaf)


def test_the_start_is_that_of_the_cvae(train):
    """The same networks, batch and key: the loss of the CVAE's own task."""
    task, batch = make(train), batch_of(train)
    state = started(task)
    _, metrics = jax.jit(task.parts["start"])(state, batch, KEY, {})
    c = cvae_defaults.config()
    c.model.update(latent=6, widths=(4, 8), depths=(1, 1), prior=8)
    c.loss.warmup, c.augment.mirror = 2, 0.0
    other = cvae.build(c, train, STEPS, {})
    g = state.nets["generator"].params
    params = {"encoder": state.nets["encoder"].params, "decoder": g["decoder"], "prior": g["prior"]}
    theirs = jax.jit(lambda key: other.init(key, {}))(KEY)
    theirs = theirs.replace(nets={"cvae": theirs.nets["cvae"].replace(params=params)})
    _, expected = jax.jit(other.step)(theirs, batch, KEY, {})
    assert float(metrics["loss"]) == pytest.approx(float(expected["loss"]), rel=1e-4)
    for term in ("reconstruction", "divergence", "prior"):
        assert float(metrics[f"start/{term}"]) == pytest.approx(float(expected[term]), rel=1e-4, abs=1e-4), term


def test_a_decoder_learns_in_its_start(train):
    task = make(train, share=0.9, loss__r1=0.0)
    _, metrics = run(task, batch_of(train), 18)
    losses = [m["loss"] for m in metrics]
    assert losses[-1] < losses[0] - 50


@pytest.mark.parametrize("conditioning", CONDITIONINGS)
def test_the_critic_judges_images_with_their_maps(conditioning, train, eye):
    """Its logits in the first step, computed again from the frozen network's maps, which are scaled to size 1."""
    task, batch = make(train, eye[0], 0.0, model__conditioning=conditioning), batch_of(train)
    assert task.spec["maps"]["layers"] == {"stage1": [16, 16, 4], "stage2": [8, 8, 6]}
    assert (task.spec["maps"]["name"], task.spec["maps"]["hash"]) == ("eye", "ee")
    assert gan.references(
        SimpleNamespace(guide=SimpleNamespace(reference=""), maps=SimpleNamespace(reference="x"))
    ) == {"maps": "x"}
    (before, after), (metrics,) = run(task, batch, 1, {"maps": eye[1]})
    images, labels = to_float(batch["image"]), jnp.asarray(batch["label"])
    maps = {name: eye[0].predict["maps"](eye[1], images)[name] for name in ("stage1", "stage2")}
    maps = {name: x / np.sqrt(np.square(x).mean((1, 2, 3), keepdims=True)) for name, x in maps.items()}
    params = before.nets["critic"].params
    judged = task.critic.apply({"params": params}, images, labels, maps)
    assert metrics["critic/real"] == pytest.approx(float(judged.logits.mean()), rel=1e-3, abs=1e-5)
    # The penalty counts the maps as inputs beside the pixels.
    gradient = jax.grad(lambda x, m: task.critic.apply({"params": params}, x, labels, m).logits.sum(), (0, 1))
    squares = [np.square(g).sum((1, 2, 3)) for g in jax.tree.leaves(jax.jit(gradient)(images, maps))]
    expected = task.loss["interval"] * task.loss["r1"] / 2 * np.mean(sum(squares))
    assert metrics["critic/penalty"] == pytest.approx(expected, rel=2e-3)
    assert len(moved(before.nets["critic"].params, after.nets["critic"].params)) >= len(leaf_names(params)) - 1
    # Alone, with the averages of the spreads, as restored weights do.
    weights = task.weights(after)
    assert weights["batch_stats"]["critic"]["spread"].shape == (3,)
    critic = jax.jit(task.predict["critic"])
    found = critic(weights, batch["image"], labels, maps)
    few = critic(weights, batch["image"][:3], labels[:3], {name: x[:3] for name, x in maps.items()})
    np.testing.assert_allclose(few, found[:3], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"start__share": 1.0}, "start.share"),
        ({"start__warmup": -1}, "start.warmup"),
        (
            {"maps__layers": ("stage9",)},
            "maps.layers=('stage9',): 'runs/eye' has no layer 'stage9'; it has: feature_map",
        ),
        ({"maps__layers": ()}, "maps.layers=()"),
    ],
)
def test_options_are_checked(fields, words, train, eye):
    with pytest.raises(BadInput) as refused:
        make(train, eye[0], **fields)
    assert words in str(refused.value)


def test_a_generator_that_is_no_decoder_has_no_start(train):
    c = defaults.config("dcgan")
    c.start.share = 0.3
    with pytest.raises(BadInput, match=r"start.share=0.3: expected 0 for model dcgan, whose generator is no decoder"):
        gan.build(c, train, STEPS, {})


def test_a_generator_gives_no_maps(train, eye):
    made = SimpleNamespace(**{**vars(eye[0]), "predict": {"sample": None}, "spec": {"task": "gan"}})
    with pytest.raises(BadInput, match="maps.reference=runs/eye: expected a classifier, found a gan"):
        make(train, made)


@pytest.mark.slow
@pytest.mark.parametrize("conditioning", ["projection", "reacgan"])
def test_learns_one_batch_by_heart(conditioning, train):
    """Eight faces, some of one class: the mean distance of a face to its nearest sample falls to a quarter."""
    drawn = faces.draw(np.arange(8), size=32, channels=1)
    pixels = reduce(drawn.images.astype(np.float32), "n (h i) (w j) c -> n h w c", "mean", i=2, j=2).astype(np.uint8)
    split = dataclasses.replace(train, images=pixels, rows={"label": drawn.labels})
    task = make(
        split, steps=1000, share=0.5, model__conditioning=conditioning, model__latent=16, model__widths=(16, 32),
        model__prior=64, model__width=16, model__widest=64, ema=0.9, start__warmup=100,
    )  # fmt: skip
    sample, images = jax.jit(task.predict["sample"]), to_float(pixels)
    latents = jax.vmap(task.predict["draw"])(jax.random.split(KEY, 256))
    labels = jnp.asarray(np.repeat(drawn.labels, 32))

    def distance(state):
        samples = np.asarray(sample(task.weights(state), latents, labels))
        return np.sqrt(np.square(images[:, None] - samples[None]).sum((2, 3, 4))).min(1).mean()

    batch = {"image": pixels, "label": drawn.labels}
    states, _ = run(task, batch, 1000, keep=(0, 500, 1000))
    before, begun, after = (distance(state) for state in states)
    assert begun <= 0.25 * before
    assert after <= 0.25 * before
