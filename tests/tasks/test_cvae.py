"""The CVAE: what its functions depend on, what its terms do, and that it learns a batch by heart."""

import dataclasses
import json
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs.defaults import cvae as defaults
from fergen.core import mesh as meshes
from fergen.core.arrays import to_float, to_uint8
from fergen.core.errors import BadInput
from fergen.core.tree import leaf_names
from fergen.data import dataset
from fergen.evals.reconstruction import measure
from fergen.tasks import classifier, cvae, cvae_nets
from tests.train.conftest import write_set

CLASSES = 7
KEY = jax.random.key(1)


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    folder = write_set(tmp_path_factory.mktemp("sets") / "tiny", {"train": 96, "validation": 21})
    return dataset.load(folder, "train")


def config_of(**fields):
    """A small CVAE; a field is named group__field."""
    c = defaults.config()
    c.model.update(latent=8, widths=(8, 16), depths=(1, 1), prior=32)
    c.optim.update(name="adam", lr=3e-3)
    c.optim.schedule.update(name="constant", warmup=0.05, final=None)
    c.augment.mirror = 0.0
    c.loss.warmup = 20
    for name, value in fields.items():
        *groups, field = name.split("__")
        group = c
        for part in groups:
            group = group[part]
        group[field] = value
    return c


def make(train, fixed=None, steps=300, **fields):
    return cvae.build(config_of(**fields), train, steps, fixed or {})


def batch_of(train, n=16):
    return {"image": np.asarray(train.images[:n]), "label": np.asarray(train.labels[:n])}


def shapes(batch):
    return {name: jax.ShapeDtypeStruct(x.shape, x.dtype) for name, x in batch.items()}


def drawn(task):
    """Weights drawn with numpy: as trained, nothing is zero."""
    rng = np.random.default_rng(0)

    def draw(leaf):
        fan = np.prod(leaf.shape[:-1]) if len(leaf.shape) > 1 else 10
        return (rng.normal(size=leaf.shape) / np.sqrt(fan)).astype(np.float32)

    return jax.tree.map(draw, cvae.shapes_of(task.spec))


def trained(task, batch, steps, frozen=None):
    state = jax.jit(lambda key: task.init(key, shapes(batch)))(jax.random.key(0))
    step = jax.jit(task.step, donate_argnums=0)
    for i in range(steps):
        state, metrics = step(state, batch, jax.random.key(i), frozen or {})
    return state, metrics


def test_what_each_function_depends_on(train):
    """Labels change what they must, rows are apart, and images come in any form."""
    task = make(train)
    assert "perceptual" not in task.spec
    functions = {name: jax.jit(f) for name, f in cvae.predict_of(json.loads(json.dumps(task.spec))).items()}
    weights = drawn(task)
    images, labels = train.images[:6], np.asarray(train.labels[:6])
    others = (labels + 1) % CLASSES

    mean, logvar = functions["encode"](weights, images, labels)
    assert mean.shape == logvar.shape == (6, 8)
    assert np.abs(mean - functions["encode"](weights, images, others)[0]).max() > 1e-2

    same = functions["reconstruct"](weights, images, labels)
    assert same.shape == (6, 16, 16, 1)
    assert np.abs(same).max() <= 1
    np.testing.assert_allclose(same, functions["decode"](weights, mean, labels), atol=1e-5)
    changed = functions["relabel"](weights, images, labels, others)
    assert np.abs(changed - same).reshape(6, -1).max(1).min() > 1e-2

    latents = jax.vmap(functions["draw"])(jax.random.split(jax.random.key(0), 6))
    samples = functions["sample"](weights, latents, labels)
    assert samples.shape == (6, 16, 16, 1)
    assert np.abs(samples).max() <= 1
    assert np.abs(samples - functions["sample"](weights, latents, others)).reshape(6, -1).max(1).min() > 1e-2
    # The prior has moved the latents.
    assert np.abs(samples - functions["decode"](weights, latents, labels)).max() > 1e-2
    mixed = np.where(np.arange(6) < 3, labels, others)
    np.testing.assert_allclose(functions["sample"](weights, latents, mixed)[:3], samples[:3], atol=1e-5)

    colour = np.repeat(to_float(images), 3, axis=-1)
    np.testing.assert_allclose(functions["reconstruct"](weights, colour, labels), same, atol=1e-4)
    large = np.repeat(np.repeat(images, 2, axis=1), 2, axis=2)
    assert functions["reconstruct"](weights, large, labels).shape == (6, 16, 16, 1)


def test_without_a_learned_prior_samples_are_decoded_noise(train):
    task = make(train, model__prior=0, sampler__guidance=1.0, sampler__truncation=0.5)
    weights, latents = drawn(task), np.random.default_rng(0).normal(size=(3, 8)).astype(np.float32)
    labels = np.arange(3, dtype=np.int32)
    assert set(weights["params"]) == {"encoder", "decoder"}
    predict = task.predict
    np.testing.assert_array_equal(
        predict["sample"](weights, latents, labels), predict["decode"](weights, 0.5 * latents, labels)
    )
    images, own = train.images[:3], np.asarray(train.labels[:3])
    mean, _ = predict["encode"](weights, images, own)
    np.testing.assert_array_equal(
        predict["relabel"](weights, images, own, labels), predict["decode"](weights, mean, labels)
    )


def sampler(task, **fields):
    return cvae.predict_of({**task.spec, "sampler": {**task.spec["sampler"], **fields}})


def test_guidance_moves_away_from_no_label(train):
    """At 1 the label's own way, at 0 that of no label, which no label changes; truncation scales the noise."""
    task = make(train)
    weights, rng = drawn(task), np.random.default_rng(0)
    latents, labels = rng.normal(size=(4, 8)).astype(np.float32), np.arange(4, dtype=np.int32)
    made = {w: sampler(task, guidance=w, truncation=1.0)["sample"](weights, latents, labels) for w in (0.0, 1.0, 2.0)}
    assert np.abs(made[2.0] - made[1.0]).max() > 1e-2
    plain = sampler(task, guidance=1.0, truncation=0.5)["sample"]
    np.testing.assert_allclose(
        plain(weights, latents, labels),
        sampler(task, guidance=1.0, truncation=1.0)["sample"](weights, 0.5 * latents, labels),
        atol=1e-5,
    )

    # Without a label the latents are the same for every one: only the decoder is told.
    def latent_of(guidance, asked):
        spec = {**task.spec, "sampler": {"guidance": guidance, "truncation": 1.0}}
        return cvae_nets.from_noise(spec, task.networks, weights["params"], latents, asked)

    np.testing.assert_allclose(latent_of(0.0, labels), latent_of(0.0, labels[::-1]), atol=1e-5)
    assert np.abs(latent_of(1.0, labels) - latent_of(1.0, labels[::-1])).max() > 1e-2


def test_a_face_keeps_its_noise_under_another_label(train):
    """Without guidance, relabelling to its own label gives a face its reconstruction back."""
    task = make(train)
    state, _ = trained(task, batch_of(train, 32), 150)
    weights, predict = task.weights(state), sampler(task, guidance=1.0)
    images, labels = train.images[:16], np.asarray(train.labels[:16])
    same = np.asarray(predict["reconstruct"](weights, images, labels))
    again = np.asarray(predict["relabel"](weights, images, labels, labels))
    other = np.asarray(predict["relabel"](weights, images, labels, (labels + 1) % CLASSES))
    assert np.square(again - same).mean() < 0.1 * np.square(other - same).mean()


def test_learns_eight_faces(train):
    """Samples come to lie on the faces: the mean distance from a face to its nearest sample falls to a quarter."""
    task, batch = make(train, ema=0.0), batch_of(train, 8)
    rows, labels = jnp.arange(140), jnp.arange(140) % CLASSES
    latents = jax.vmap(lambda row: task.predict["draw"](jax.random.fold_in(jax.random.key(9), row)))(rows)
    sample, faces = jax.jit(task.predict["sample"]), to_float(batch["image"])

    def distance(state):
        made = np.asarray(sample(task.weights(state), latents, labels))
        return np.sqrt(np.square(faces[:, None] - made).mean((2, 3, 4))).min(1).mean()

    start = distance(jax.jit(lambda key: task.init(key, shapes(batch)))(jax.random.key(0)))
    state, metrics = trained(task, batch, 200)
    assert distance(state) <= 0.25 * start
    assert metrics["mse"] < 0.01


def test_the_prior_has_no_say_in_the_rest(train):
    """With and without it, encoder and decoder take the same step."""
    batch = batch_of(train)
    ends = []
    for width in (0, 32):
        state, metrics = trained(make(train, model__prior=width, sampler__guidance=1.0), batch, 2)
        ends.append({name: leaf_names(state.nets["cvae"].params[name]) for name in ("encoder", "decoder")})
    for name in ends[0]:
        for leaf, value in ends[0][name].items():
            np.testing.assert_allclose(value, ends[1][name][leaf], rtol=1e-4, atol=1e-6, err_msg=f"{name}/{leaf}")
    assert "prior" in metrics


def test_the_divergence_warms_up_and_is_weighted(train):
    batch, task = batch_of(train), make(train, loss__beta=2.0, loss__warmup=4)
    state = jax.jit(lambda key: task.init(key, shapes(batch)))(jax.random.key(0))
    step = jax.jit(task.step)
    for share in (0.25, 0.5, 0.75, 1.0, 1.0):
        state, metrics = step(state, batch, jax.random.key(1), {})
        assert float(metrics["divergence"] / metrics["kl"]) == pytest.approx(2 * share, rel=1e-5)


def test_regions_are_weighed_against_the_rest(train):
    """With two latent entries there is no room for all of a face: where it counts, less is lost."""
    rng = np.random.default_rng(0)
    batch = {"image": rng.integers(0, 256, (16, 16, 16, 1)).astype(np.uint8), "label": np.zeros(16, np.int32)}
    faces = dataclasses.replace(train, images=batch["image"], rows={"label": batch["label"]})
    shares = {}
    for weight in (1.0, 20.0):
        task = make(train, model__latent=2, model__prior=0, sampler__guidance=1.0, loss__regions__mouth__weight=weight)
        state, _ = trained(task, batch, 60)
        found = measure(task.predict, task.weights(state), faces, regions=task.spec["regions"])
        shares[weight] = found["mse/mouth"] / found["mse/elsewhere"]
    assert shares[20.0] < 0.7 * shares[1.0]


def fixed_net(train, name, predict, classes=None):
    spec = {
        "task": "classifier",
        "model": {"name": "cnn_simple", "filters": [4], "hidden": 8},
        "classes": list(classes or train.spec.classes),
        "image": {"height": 16, "width": 16, "channels": 1},
        "mean": [0.0],
        "std": [0.4],
    }
    predict = predict or classifier.predict_of(spec)
    return SimpleNamespace(name=name, hash="5e" * 32, spec=spec, predict=predict)


def test_a_guide_teaches_samples_their_labels(train):
    """The guide reads the class off the brightness of the lower half, where real faces of a class differ widely."""
    rng, levels, own = np.random.default_rng(0), np.linspace(-0.6, 0.6, CLASSES), np.arange(64) % CLASSES
    halves = np.stack([rng.uniform(-0.7, 0.7, 64), levels[own] + rng.normal(0, 0.3, 64)], axis=1)
    faces = np.repeat(halves, 8, axis=1)[:, :, None, None] + rng.normal(0, 0.1, (64, 16, 16, 1))
    batch = {"image": to_uint8(faces), "label": own.astype(np.int32)}

    def logits(variables, images):
        level = images[:, 8:].mean((1, 2, 3))
        return -variables["sharp"] * jnp.square(level[:, None] - jnp.asarray(levels, jnp.float32))

    guide, frozen = fixed_net(train, "guide", {"logits": logits}), {"guide": {"sharp": jnp.float32(100.0)}}
    shares = {}
    for weight in (0.0, 30.0):
        chosen = {"guide__weight": weight, "samples": 2, "sampler__guidance": 1.0, "perceptual__share": 1.0}
        task = make(train, {"guide": guide} if weight else {}, **chosen)
        state, _ = trained(task, batch, 120, frozen)
        weights, asked = task.weights(state), batch["label"][::-1]
        latents = jax.random.normal(jax.random.key(5), (64, 8))
        sampled = jax.jit(task.predict["sample"])(weights, latents, asked)
        shares[weight] = (logits(frozen["guide"], sampled).argmax(-1) == asked).mean()
    assert shares[30.0] > 1.5 * shares[0.0]
    assert task.spec["guide"] == {"name": "guide", "hash": "5e" * 32, "model": guide.spec["model"]}


def test_the_perceptual_term_trains_through_a_frozen_network(train):
    """A classifier's maps: the term falls as it is weighed, and the network itself is left alone."""
    net = fixed_net(train, "eye", None)
    rng = np.random.default_rng(0)
    frozen = jax.tree.map(
        lambda x: (
            rng.uniform(0.5, 1, x.shape).astype(np.float32)
            if len(x.shape) == 1
            else rng.normal(size=x.shape).astype(np.float32)
        ),
        classifier.shapes_of(net.spec),
    )
    batch, ends = batch_of(train), []
    for weight in (1e-3, 1.0):
        task = make(
            train,
            {"perceptual": net},
            perceptual__features=weight,
            perceptual__style=weight,
            perceptual__moments=weight,
            perceptual__layers=("stage1",),
        )
        _, metrics = trained(task, batch, 60, {"perceptual": frozen})
        ends.append(float(metrics["perceptual"]) / weight)
    assert ends[1] < ends[0]
    assert task.spec["perceptual"]["name"] == "eye"


def test_the_perceptual_term_waits_for_its_share_of_the_steps(train):
    net = fixed_net(train, "eye", None)
    chosen = {"perceptual__features": 1.0, "perceptual__layers": ("stage1",)}
    task, batch = make(train, {"perceptual": net}, **chosen), batch_of(train)
    assert [task.due(step) for step in (0, 179, 180)] == [("alone",), ("alone",), ("step",)]
    weights = jax.tree.map(lambda x: jnp.ones(x.shape), classifier.shapes_of(net.spec))
    frozen = {"perceptual": weights, "guide": weights}
    state = jax.jit(lambda key: task.init(key, shapes(batch)))(jax.random.key(0))
    guided = make(train, {"perceptual": net, "guide": net}, guide__weight=1.0, **chosen)
    # A guide waits even where it is alone.
    lone = make(train, {"guide": net}, guide__weight=1.0)
    for trained_by, terms in ((task, {"perceptual"}), (guided, {"perceptual", "guide"}), (lone, {"guide"})):
        first, second = (set(jax.eval_shape(f, state, batch, KEY, frozen)[1]) for f in trained_by.parts.values())
        assert second - first == terms
    assert list(make(train, {"perceptual": net}, perceptual__share=1.0, **chosen).parts) == ["step"]
    assert list(make(train).parts) == ["step"]
    with pytest.raises(BadInput, match="perceptual.share"):
        make(train, {"perceptual": net}, perceptual__share=0.0, **chosen)


def test_one_and_eight_devices_agree(train):
    guide = fixed_net(
        train, "guide", {"logits": lambda v, x: jnp.stack([x.mean((1, 2, 3)) * i for i in range(CLASSES)], -1)}
    )
    # Adam with a large epsilon: close gradients give close updates.
    fixed, fields = {"guide": guide}, {"guide__weight": 1.0, "augment__mirror": 0.5, "optim__eps": 1e3}
    task, batch, ends = make(train, fixed, **fields), batch_of(train), []
    for devices in (jax.devices()[:1], jax.devices()):
        mesh = meshes.build(devices)
        whole = meshes.replicated(mesh)
        state = jax.jit(lambda key: task.init(key, shapes(batch)), out_shardings=whole)(jax.random.key(0))
        step = jax.jit(task.step, out_shardings=(whole, whole))
        placed = meshes.place(batch, meshes.split(mesh))
        for i in range(3):
            state, metrics = jax.block_until_ready(step(state, placed, jax.random.key(i), {"guide": {}}))
        ends.append((jax.device_get(metrics), leaf_names(jax.device_get(state))))
    for one, eight in zip(*ends):
        for name in one:
            np.testing.assert_allclose(one[name], eight[name], rtol=1e-3, atol=1e-5, err_msg=name)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"loss__reconstruction": "l3"}, "loss.reconstruction=l3"),
        ({"loss__beta": -1.0}, "loss.beta"),
        ({"loss__warmup": -1}, "loss.warmup"),
        ({"loss__regions__eyes__box": (0.5, 0.5, 0.4, 0.6)}, "loss.regions"),
        ({"loss__regions__eyes__weight": -2.0}, "loss.regions.eyes.weight"),
        ({"model__name": "vae"}, "model 'vae'"),
        ({"model__widths": (8,)}, "as many widths as depths"),
        ({"perceptual__features": 1.0}, "perceptual.reference=''"),
        ({"guide__weight": 1.0}, "guide.reference=''"),
        ({"samples": 0}, "samples"),
        ({"loss__unlabelled": 1.5}, "loss.unlabelled"),
        ({"sampler__guidance": -1.0}, "sampler.guidance"),
        ({"model__prior": 0}, "guidance is of a learned prior"),
    ],
)
def test_bad_fields(train, fields, said):
    with pytest.raises(BadInput) as error:
        make(train, **fields)
    assert said in str(error.value)


def test_bad_networks(train):
    eye, chosen = fixed_net(train, "eye", None), {"perceptual__features": 1.0}
    with pytest.raises(BadInput, match="'eye' has no layer 'stage2'; it has: .*stage1"):
        make(train, {"perceptual": eye}, **chosen)
    with pytest.raises(BadInput, match="expected a classifier"):
        make(train, {"perceptual": fixed_net(train, "eye", {"sample": len})}, **chosen)
    with pytest.raises(BadInput, match="weight above 0"):
        make(train, {"perceptual": eye})
    few = fixed_net(train, "guide", {"logits": len}, classes=("happy", "sad"))
    with pytest.raises(BadInput, match="guide"):
        make(train, {"guide": few}, guide__weight=1.0)


def test_weights_without_a_sampler_are_refused(train):
    """Weights of another version: the missing field is named."""
    spec = {name: value for name, value in make(train).spec.items() if name != "sampler"}
    with pytest.raises(BadInput, match=r"sampler.guidance: expected the fields guidance, truncation"):
        cvae.predict_of(spec)
