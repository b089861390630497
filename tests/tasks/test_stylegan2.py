"""StyleGAN2-ADA's training: each phase's gradients against the reference code, and what stands around them."""

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from configs.defaults import stylegan2 as defaults
from fergen.augment import ada_control
from fergen.convert.stylegan2_names import ours, theirs
from fergen.core.errors import BadInput
from fergen.core.tree import leaf_names
from fergen.models import stylegan2 as models
from fergen.tasks import stylegan2
from fergen.tasks.state import State, merged, new_net
from fergen.tasks.stylegan2_draws import Draws, Fakes, Given
from fergen.tasks.stylegan2_phases import averaged

HERE = Path(__file__).parent
NETWORKS = np.load(HERE.parent / "models" / "stylegan2.npz")
WANTED = np.load(HERE / "stylegan2_gradients.npz")
NAME = "c32_cond7_Gorig_Dskip"


def training_set(classes=7, size=8, channels=1):
    spec = SimpleNamespace(
        classes=[f"class{i}" for i in range(classes)], image_shape=(size, size, channels), hash="5e" * 32
    )
    return SimpleNamespace(spec=spec, labels=np.repeat(np.arange(classes), np.arange(classes) + 1), name="train")


def config_of(**fields):
    """A tiny StyleGAN2; a field is named group__field."""
    c = defaults.config(images=1000)
    defaults.small(c)
    c.model.update(z_dim=8, w_dim=8, channel_base=64, channel_max=8, label_layers=1)
    c.augment.ada.preset = "none"
    c.batch_size = 8
    for name, value in fields.items():
        *groups, field = name.split("__")
        group = c
        for part in groups:
            group = group[part]
        group[field] = value
    return c


def make(train=None, **fields):
    return stylegan2.build(config_of(**fields), train or training_set(), 100, {})


def batch_of(n=8, size=8, channels=1):
    rng = np.random.default_rng(0)
    return {
        "image": rng.integers(0, 256, (n, size, size, channels)).astype(np.uint8),
        "label": (np.arange(n) % 7).astype(np.int32),
    }


def begun(task, n=8):
    shapes = {name: jax.ShapeDtypeStruct(x.shape, x.dtype) for name, x in batch_of(n).items()}
    return jax.jit(lambda key: task.init(key, shapes))(jax.random.key(0))


class Kept(NamedTuple):
    """Gradients of the two phases of a net, in their order."""

    first: dict
    second: dict
    calls: jax.Array


def keeper():
    """An optimiser that keeps the gradients it is given and moves nothing."""

    def init(params):
        zeros = jax.tree.map(jnp.zeros_like, params)
        return Kept(zeros, jax.tree.map(jnp.copy, zeros), jnp.zeros((), jnp.int32))

    def update(grads, state, params=None):
        first = jax.tree.map(lambda new, old: jnp.where(state.calls == 0, new, old), grads, state.first)
        second = jax.tree.map(lambda new, old: jnp.where(state.calls == 1, new, old), grads, state.second)
        return jax.tree.map(jnp.zeros_like, grads), Kept(first, second, state.calls + 1)

    return optax.GradientTransformation(init, update)


def test_gradients_of_every_phase():
    """One step of all four phases on the reference's networks, faces and noise: gradients, path lengths, losses."""
    stored = {name[len(NAME) + 1 :]: NETWORKS[name] for name in NETWORKS.files if name.startswith(NAME)}
    meta = json.loads(str(stored["meta"]))
    g, d = meta["G_kwargs"], meta["D_kwargs"]
    task = make(
        training_set(7, 32, 3),
        model__z_dim=g["z_dim"], model__w_dim=g["w_dim"], model__mapping_layers=2, model__label_layers=8,
        model__conv_clamp=1e9, model__channel_base=512, model__channel_max=24, model__synthesis="orig",
        model__discriminator="skip", model__mbstd_group_size=d["epilogue_kwargs"]["mbstd_group_size"],
        loss__r1=3.0, loss__r1_interval=1, loss__pl_interval=1, loss__pl_shrink=1, augment__mirror=0.0,
    )  # fmt: skip
    task = dataclasses.replace(task, tx={"generator": keeper(), "discriminator": keeper()})

    def variables(prefix):
        tree = ours({name[2:]: x for name, x in stored.items() if name.startswith(prefix + "/")})
        return {kind: jax.tree.map(jnp.asarray, part) for kind, part in tree.items() if part}

    generator = variables("G")
    generator["buffers"]["mapping"]["w_avg_class"] = jnp.zeros((7, g["w_dim"]))
    nets = {
        "generator": new_net(generator, task.tx["generator"], ema=True),
        "discriminator": new_net(variables("D"), task.tx["discriminator"], ema=False),
    }
    state = State(step=jnp.int32(0), nets=nets, scalars={"pl_mean": jnp.float32(0.37)})
    z, c = jnp.asarray(stored["in/z"]), jnp.asarray(stored["in/c"])
    layers = task.networks.synthesis.layout.styles
    buffers = generator["buffers"]["synthesis"]
    own = [buffers[f"b{size}"][f"conv{i}"]["noise_const"] for size in (4, 8, 16, 32) for i in (0, 1) if size > 4 or i]
    noise = [jnp.broadcast_to(x[None, ..., None], (len(z), *x.shape, 1)) for x in own]
    fakes = Fakes(z, c, jnp.int32(layers), z, noise)
    pixels = jnp.moveaxis(jnp.asarray(WANTED["in/pl_noise"]), 1, -1)
    draws = Draws((fakes, None, None), (fakes, pixels), (fakes, None, None), None)
    reals = jnp.moveaxis(jnp.asarray(stored["in/real"]), 1, -1)
    given = Given(reals[None], c[None], jax.tree.map(lambda x: x[None], draws), {})
    after, metrics = jax.jit(task.update)(state, given)

    found = {
        "Gmain_dG": after.nets["generator"].opt_state.first,
        "pl_dG": after.nets["generator"].opt_state.second,
        "Dmain_dD": after.nets["discriminator"].opt_state.first,
        "r1_dD": after.nets["discriminator"].opt_state.second,
    }
    compared = 0
    for phase, tree in found.items():
        for name, value in theirs({"params": tree}, np.ones(4), discriminator=phase.endswith("D")).items():
            if f"out/{phase}/{name}" in WANTED:
                wanted = WANTED[f"out/{phase}/{name}"]
                atol = 2e-4 * max(np.abs(wanted).max(), 1e-6)
                np.testing.assert_allclose(value, wanted, rtol=0, atol=atol, err_msg=f"{phase} {name}")
                compared += 1
    assert compared == len([name for name in WANTED.files if "_d" in name])
    assert metrics["generator/adversarial"] == pytest.approx(float(WANTED["out/Gmain_loss"]), rel=1e-4)
    assert metrics["discriminator/adversarial"] == pytest.approx(float(WANTED["out/Dmain_loss"]), rel=1e-4)
    assert metrics["pl_mean"] == pytest.approx(float(WANTED["out/pl_mean_new"]), rel=1e-4)
    assert metrics["generator/path"] == pytest.approx(2 * WANTED["out/pl_penalty"].mean(), rel=1e-3)


# A recorded training of 8 images a step, 0.05 thousand images of average, ramp 0.05, from p = 0.3 on, 0.4 thousand
# images to move it by 1: signs of real logits (sum, number), p after the step, and how much of the average is kept.
RECORDED = [
    (10, 16, 0.3, 0.0), (2, 8, 0.3, 9.5367431640625e-07), (0, 8, 0.3, 0.0009765625), (4, 8, 0.22, 0.009843133389949799),
    (2, 8, 0.22, 0.03125), (0, 8, 0.22, 0.0625), (0, 8, 0.22, 0.09921256452798843), (4, 8, 0.14, 0.13801118731498718),
    (0, 8, 0.14, 0.1767766922712326), (0, 8, 0.14, 0.21431098878383636), (-6, 8, 0.14, 0.25),
    (0, 8, 0.06, 0.28357812762260437), (2, 8, 0.06, 0.31498026847839355), (0, 8, 0.06, 0.344252347946167),
    (-2, 8, 0.06, 0.37149858474731445), (2, 8, 0.0, 0.39685025811195374), (12, 16, 0.0, 0.4204482138156891),
    (8, 8, 0.0, 0.44243255257606506), (6, 8, 0.0, 0.4629373550415039), (6, 8, 0.08, 0.48208799958229065),
]  # fmt: skip


def test_average_and_strength_move_as_recorded():
    """The strength counts the signs of the penalised pass too; the average's first step copies."""
    task = make(average__kimg=0.05, average__ramp=0.05)
    control = ada_control.Control(p=0.3, kimg=0.4)
    scalars = ada_control.start(control)
    net = begun(task).nets["generator"]
    ones = jax.tree.map(jnp.ones_like, net.params)
    net = net.replace(params=ones, ema={"params": jax.tree.map(jnp.zeros_like, ones), **net.collections})
    for step, (total, number, p, keep) in enumerate(RECORDED):
        logits = np.sign(np.arange(number) - (number - total) / 2 + 0.5)
        assert logits.sum() == total
        scalars = ada_control.adapt(ada_control.observe(scalars, logits), jnp.int32(step), 8, control)
        assert scalars["ada_p"] == pytest.approx(p, abs=1e-6)
        moved = jax.tree.leaves(averaged(net, jnp.int32(step), 8, task.average)["params"])[0]
        np.testing.assert_allclose(1 - moved, keep, atol=1e-6)


def test_lazy_phases_come_with_their_steps():
    """Path lengths at every fourth step and slopes at every sixteenth; their optimisers count both phases."""
    task = make(model__noise=False, loss__pl_interval=2, loss__r1_interval=3)
    state, parts = begun(task), {name: jax.jit(part) for name, part in task.parts.items()}
    for i, lazy in enumerate([{"lengths", "slope"}, set(), {"lengths"}, {"slope"}]):
        reports = []
        for name in task.due(i):
            state, metrics = parts[name](state, batch_of(), jax.random.key(i), {})
            reports.append(metrics)
        assert set(task.due(i)) == {"generator", "discriminator", "close"} | lazy
        seen = merged(reports)
        assert ("generator/path" in seen, "discriminator/r1" in seen) == ("lengths" in lazy, "slope" in lazy)
        assert seen["loss"] == pytest.approx(seen["generator/adversarial"] + seen["discriminator/adversarial"])
        assert int(state.step) == i + 1
    for net in state.nets.values():
        counts = {int(x) for name, x in leaf_names(net.opt_state).items() if name.endswith("count")}
        assert counts == {4 + 2}


def test_optimisers_of_lazy_phases():
    """k + 1 updates do what k would: rate and memory of Adam are scaled, so a constant gradient moves as far."""
    task = make(loss__pl_interval=4, loss__r1_interval=16, optim__lr=0.01)
    state = begun(task)
    for name, interval in (("generator", 4), ("discriminator", 16)):
        params = jax.tree.map(jnp.zeros_like, state.nets[name].params)
        opt = task.tx[name].init(params)
        ones = jax.tree.map(jnp.ones_like, params)
        for _ in range(interval + 1):
            updates, opt = task.tx[name].update(ones, opt, params)
            params = optax.apply_updates(params, updates)
        moved = jax.tree.leaves(params)[0]
        np.testing.assert_allclose(moved, -0.01 * interval, rtol=1e-4)


def test_rounds_add_up():
    """Two rounds add the gradients of their halves: a sum of means. Their mean styles move one after the other."""
    batch = batch_of()
    games = {"loss__pl": 0.0, "loss__r1": 0.0}
    state = begun(make(**games))
    one, two = (
        dataclasses.replace(make(rounds=n, **games), tx={"generator": keeper(), "discriminator": keeper()})
        for n in (1, 2)
    )
    draws = two.draws(jax.random.key(1), 8)
    nets = {
        name: new_net({"params": net.params, **net.collections}, keeper(), ema=name == "generator")
        for name, net in state.nets.items()
    }
    state = state.replace(nets=nets)
    reals, labels = batch["image"] / np.float32(127.5) - 1, np.eye(7, dtype=np.float32)[batch["label"]]
    halved = Given(*(np.stack([x[::2], x[1::2]]) for x in (reals, labels)), draws, {})
    after, _ = jax.jit(two.update)(state, halved)
    halves = [jax.jit(one.update)(state, jax.tree.map(lambda x, i=i: x[i : i + 1], halved))[0] for i in (0, 1)]
    for name in ("generator", "discriminator"):
        found, parts = after.nets[name].opt_state.first, [half.nets[name].opt_state.first for half in halves]
        summed = jax.tree.map(jnp.add, *parts)
        for leaf, value in leaf_names(found).items():
            wanted = leaf_names(summed)[leaf]
            np.testing.assert_allclose(value, wanted, atol=1e-4 * np.abs(wanted).max() + 1e-7, err_msg=leaf)


def test_frozen_layers_stay():
    """Freeze-D: the first layers of the discriminator, counted from the image on, are the same bits afterwards."""
    task = make(freeze_d=3)
    state = begun(task)
    before = jax.tree.map(np.array, state.nets["discriminator"].params)
    after, _ = jax.jit(task.step)(state, batch_of(), jax.random.key(0), {})
    same = {
        name.rsplit("/", 1)[0]
        for name, x in leaf_names(after.nets["discriminator"].params).items()
        if np.array_equal(x, leaf_names(before)[name])
    }
    assert same == {"b8/fromrgb", "b8/conv0", "b8/conv1"}


def test_samples_follow_the_sampler():
    """Truncation to 0 leaves the mean of the class, or of all; soft labels lie between."""
    task = make()
    state = begun(task)
    weights = task.weights(state)
    averages = weights["buffers"]["generator"]["mapping"]
    averages["w_avg"] = jnp.ones(8)
    averages["w_avg_class"] = jnp.arange(7.0)[:, None] * jnp.ones(8)
    latents = jax.vmap(task.predict["draw"])(jax.random.split(jax.random.key(0), 3))
    labels = jnp.array([0, 2, 5])

    def styles(labels=labels, **fields):
        spec = {**task.spec, "sampler": {**task.spec["sampler"], **fields}}
        return stylegan2.predict_of(spec)["styles"](weights, latents, labels)

    np.testing.assert_allclose(styles(truncation=0.0)[:, 0, 0], [0, 2, 5])
    np.testing.assert_allclose(styles(truncation=0.0, centre="all"), 1.0)
    part = styles(truncation=0.0, cutoff=2)
    np.testing.assert_allclose(part[:, 2:], styles()[:, 2:])
    np.testing.assert_allclose(part[:, :2], styles(truncation=0.0)[:, :2])
    np.testing.assert_allclose(styles(labels=jax.nn.one_hot(labels, 7)), styles(), atol=1e-6)
    faces = jax.jit(task.predict["sample"])(weights, latents, labels)
    assert faces.shape == (3, 8, 8, 1)
    assert task.predict["critic"](weights, faces, labels).shape == (3,)


def test_images_are_brought_to_the_resolution():
    task = make(training_set(size=6, channels=3), resolution=12)
    assert task.spec["image"] == {"height": 12, "width": 12, "channels": 3}
    shapes = {name: jax.ShapeDtypeStruct(x.shape, x.dtype) for name, x in batch_of(8, 6, 3).items()}
    state = jax.eval_shape(lambda key: task.init(key, shapes), jax.random.key(0))
    after, _ = jax.eval_shape(task.step, state, shapes, jax.random.key(0), {})
    assert jax.tree.map(lambda x: x.shape, after) == jax.tree.map(lambda x: x.shape, state)


def test_without_labels():
    task = make(conditional=False, loss__pl=0.0)
    assert task.shares is None
    assert models.build(num_classes=0, image=(16, 16, 1)).mapping.classes == 0
    state = begun(task)
    after, metrics = jax.jit(task.step)(state, batch_of(), jax.random.key(0), {})
    assert np.isfinite(float(metrics["loss"]))
    assert set(after.nets["generator"].collections["buffers"]["mapping"]) == {"w_avg"}
    sample = task.predict["sample"]
    latents = jnp.ones((2, 8))
    weights = task.weights(after)
    np.testing.assert_array_equal(
        sample(weights, latents, jnp.array([0, 1])), sample(weights, latents, jnp.array([2, 3]))
    )


# Settings that the official train.py resolves: thousands of images, batch, group, base, rate, gamma, half-life of the
# average, its ramp, layers of the mapping.
OFFICIAL = {
    ("auto", 128, 1): (25000, 32, 4, 16384, 0.0025, 0.1024, 10.0, 0.05, 2),
    ("auto", 128, 8): (25000, 64, 4, 16384, 0.0025, 0.0512, 20.0, 0.05, 2),
    ("auto", 256, 1): (25000, 16, 4, 16384, 0.0025, 0.8192, 5.0, 0.05, 2),
    ("auto", 256, 8): (25000, 64, 4, 16384, 0.0025, 0.2048, 20.0, 0.05, 2),
    ("auto", 32, 2): (25000, 64, 4, 16384, 0.0025, 0.0032, 20.0, 0.05, 2),
    ("auto", 48, 1): (25000, 32, 4, 16384, 0.0025, 0.0144, 10.0, 0.05, 2),
    ("stylegan2", 64, 8): (25000, 32, 4, 32768, 0.002, 10, 10, 0, 8),
    ("paper256", 64, 8): (25000, 64, 8, 16384, 0.0025, 1, 20, 0, 8),
    ("paper512", 64, 8): (25000, 64, 8, 32768, 0.0025, 0.5, 20, 0, 8),
    ("paper1024", 64, 8): (25000, 32, 4, 32768, 0.002, 2, 10, 0, 8),
    ("cifar", 32, 2): (100000, 64, 32, 32768, 0.0025, 0.01, 500, 0.05, 2),
}


@pytest.mark.parametrize(("preset", "resolution", "gpus"), OFFICIAL)
def test_presets_are_the_official_ones(preset, resolution, gpus):
    c = defaults.config(preset, images=1000, resolution=resolution, gpus=gpus)
    found = (
        c.epochs, c.batch_size, c.model.mbstd_group_size, c.model.channel_base, c.optim.lr, c.loss.r1,
        c.average.kimg, c.average.ramp, c.model.mapping_layers,
    )  # fmt: skip
    np.testing.assert_allclose(found, OFFICIAL[preset, resolution, gpus])
    cifar = preset == "cifar"
    assert (c.loss.pl, c.loss.mixing, c.model.discriminator) == ((0.0, 0.0, "orig") if cifar else (2.0, 0.9, "resnet"))
    assert (c.model.num_fp16_res, c.model.conv_clamp, c.optim.b1, c.optim.b2, c.optim.eps) == (
        4,
        256.0,
        0.0,
        0.99,
        1e-8,
    )


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"loss__r1": -1.0}, "loss.r1"),
        ({"loss__mixing": 1.5}, "loss.mixing"),
        ({"loss__pl_interval": 0}, "loss.pl_interval"),
        ({"rounds": 3}, "rounds=3: expected a divisor of the batch, 8"),
        ({"freeze_d": 99}, "freeze_d=99: expected at most the 4 layers"),
        ({"average__kimg": -1.0}, "average.kimg"),
        ({"sampler__centre": "mean"}, "sampler.centre: expected one of all, class"),
        ({"sampler__noise": "random"}, "sampler.noise: expected one of const, none"),
        ({"resolution": 50}, "found 50x50"),
        ({"fake_labels": "real"}, "fake_labels"),
    ],
)
def test_bad_fields(fields, words):
    with pytest.raises(BadInput, match=words):
        make(**fields)


def test_a_guide_pulls_the_generator_alone():
    """A guide that reads light as the first class: its cross-entropy and its gradient join the generator's game."""

    def logits(variables, images):
        light = variables["w"] * images.mean((1, 2, 3))[:, None]
        return jnp.concatenate([light, jnp.zeros((len(images), 6))], axis=1)

    train = training_set()
    spec = {"task": "classifier", "model": {"name": "cnn"}, "classes": train.spec.classes}
    fixed = {"guide": SimpleNamespace(name="runs/guide", hash="ab", spec=spec, predict={"logits": logits})}
    games = {"loss__pl": 0.0, "loss__r1": 0.0}
    config = config_of(guide__reference="runs/guide", guide__weight=3.0, **games)
    assert stylegan2.references(config) == {"guide": "runs/guide"}
    guided, plain = stylegan2.build(config, train, 100, fixed), make(train, **games)
    assert guided.spec["guide"]["hash"] == "ab"
    tx = {"generator": keeper(), "discriminator": keeper()}
    guided, plain = (dataclasses.replace(task, tx=tx) for task in (guided, plain))
    state = begun(plain)
    ends = {}
    for name, task, frozen in (("guided", guided, {"guide": {"w": jnp.float32(5.0)}}), ("plain", plain, {})):
        step = jax.jit(task.step)
        ends[name] = step(state, batch_of(), jax.random.key(0), frozen)
    (of_guide, metrics), (of_plain, alone) = ends["guided"], ends["plain"]
    assert metrics["generator/adversarial"] == pytest.approx(float(alone["generator/adversarial"]), rel=1e-5)
    assert metrics["loss"] == pytest.approx(float(alone["loss"] + metrics["generator/guide"]), rel=1e-5)
    assert 1 < metrics["generator/guide"] / 3 < 4  # near the logarithm of 7

    def moved(net):
        first, second = (end.nets[net].opt_state.first for end in (of_guide, of_plain))
        return max(float(np.abs(a - b).max()) for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(second)))

    assert moved("generator") > 1e-3
    assert moved("discriminator") < 1e-6


def test_weights_without_a_sampler_are_refused():
    """Weights of another version: the missing field is named."""
    spec = {name: value for name, value in make().spec.items() if name != "sampler"}
    with pytest.raises(BadInput, match=r"sampler.truncation: expected the fields truncation, cutoff, centre, noise"):
        stylegan2.predict_of(spec)
