"""Private training of whole tasks: resumed to the same bits, the same on any number of devices, and what it refuses."""

import jax
import numpy as np
import pytest

from configs.defaults import cvae as defaults
from fergen.core import config as configs
from fergen.core import mesh as meshes
from fergen.core.errors import BadInput, Preempted
from fergen.core.record import rows
from fergen.core.tree import leaf_names
from fergen.data import dataset
from fergen.tasks import cvae
from fergen.train import card, checkpoints, loop, setup
from fergen.train.restore import restore
from tests.train.conftest import TINY, write_set

pytest.importorskip("jax_privacy")
PRIVATE = ("privacy.epsilon=8.0", "model.norm=group", "epochs=2.0", "eval_every=6", "save_every=4")


@pytest.fixture(scope="module")
def tiny_set(tmp_path_factory):
    return write_set(tmp_path_factory.mktemp("sets") / "tiny", {"train": 96, "validation": 21})


def tiny(tiny_set, *overrides):
    return configs.load(f"{TINY}:{tiny_set}", [*PRIVATE, *overrides])


def test_stopped_and_resumed_gives_the_same_bits_and_says_its_epsilon(tiny_set, tmp_path, monkeypatch, capsys):
    straight = loop.run(tiny(tiny_set), tmp_path / "straight")
    assert "privacy: epsilon" in capsys.readouterr().err
    assert 7.8 < straight["privacy/epsilon"] <= 8
    save = checkpoints.Checkpoints.save

    def save_and_stop(self, step, *args):
        save(self, step, *args)
        if step == 4:
            __import__("signal").raise_signal(__import__("signal").SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints.Checkpoints, "save", save_and_stop)
        with pytest.raises(Preempted):
            loop.run(tiny(tiny_set), tmp_path / "resumed", quiet=True)
    loop.run(tiny(tiny_set), tmp_path / "resumed", quiet=True)
    ends = []
    for name in ("straight", "resumed"):
        folder = (tmp_path / name / "checkpoints" / "12").resolve()
        ends.append(leaf_names(checkpoints.read_item(folder, "state", None, None)))
    for leaf, value in ends[0].items():
        np.testing.assert_array_equal(value, ends[1][leaf], err_msg=leaf)
    recorded = [
        row["privacy/epsilon"] for row in rows(tmp_path / "resumed" / "metrics.jsonl") if "privacy/epsilon" in row
    ]
    assert recorded == sorted(recorded)
    assert len(recorded) == 2
    found = restore(tmp_path / "resumed")
    assert found.card["privacy"]["epsilon"] == pytest.approx(straight["privacy/epsilon"])
    assert found.card["privacy"]["steps"] == 12
    handed = card.hand_on(str(tmp_path / "resumed"), tmp_path / "net.safetensors")
    assert handed["privacy"]["epsilon"] == pytest.approx(straight["privacy/epsilon"])
    assert "seed" not in handed["config"]
    assert restore(tmp_path / "net.safetensors").card["privacy"]["delta"] == pytest.approx(96**-1.1)


def small_cvae(tiny_set, **privacy):
    c = defaults.config()
    c.data.name = str(tiny_set)
    c.model.update(latent=8, widths=(8, 16), depths=(1, 1), prior=32)
    c.optim.update(name="adam", lr=1e-3, eps=0.1)
    c.batch_size = 16
    c.privacy.update(noise_multiplier=1.0, **privacy)
    c.name = "small"
    return c


@pytest.mark.parametrize("task", ["classifier", "cvae"])
def test_one_and_eight_devices_agree(task, tiny_set, monkeypatch):
    """Batches, noise and steps do not depend on the devices, nor on how many gradients are held at once."""
    ends, build = [], meshes.build
    for devices, microbatch in ((1, 0), (8, 0), (1, 8)):
        monkeypatch.setattr(meshes, "build", lambda _=None, n=devices: build(jax.devices()[:n]))
        config = small_cvae(tiny_set) if task == "cvae" else tiny(tiny_set, "optim.eps=0.1")
        config.privacy.microbatch = microbatch
        this = setup.prepare(config)
        state, block = this.init(setup.run_key(config)), this.source.block(0, 2)
        for i in range(2):
            item = jax.tree.map(lambda x, i=i: x[i], block)
            step = jax.jit(this.parts["step"])
            state, metrics = jax.block_until_ready(step(state, this.frozen, this.source.arrays, item))
        ends.append(leaf_names(jax.device_get((state, metrics))))
    for other in ends[1:]:
        for leaf, value in ends[0].items():
            np.testing.assert_allclose(value, other[leaf], rtol=2e-3, atol=2e-5, err_msg=leaf)
    assert all(np.isfinite(value).all() for value in ends[0].values())


def test_a_private_step_needs_no_row_under_the_mask(tiny_set):
    split = dataset.load(tiny_set, "train")
    config = small_cvae(tiny_set)
    task = cvae.build(config, split, 20, {})
    batch = {"image": np.array(split.images[:8]), "label": np.array(split.labels[:8]), "mask": np.ones(8, np.float32)}
    batch["mask"][5:] = 0
    shapes = {name: jax.ShapeDtypeStruct(x.shape, x.dtype) for name, x in batch.items()}
    state = jax.jit(lambda key: task.init(key, shapes))(jax.random.key(0))
    step = jax.jit(task.step)
    once = step(state, batch, jax.random.key(1), {})
    batch["image"][5:] = 255
    for leaf, value in leaf_names(step(state, batch, jax.random.key(1), {})).items():
        np.testing.assert_array_equal(value, leaf_names(once)[leaf], err_msg=leaf)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (("model.norm=batch",), "model.norm=group"),
        (("augment.mixup=0.2",), "augment.mixup"),
        (("sam=0.05",), "sam=0.05"),
        (("data.balance=True",), "data.balance"),
        (("data.stream=True",), "data.stream"),
        (("privacy.noise_multiplier=1.0",), "expected one of them"),
        (("privacy.clip_norm=0.0",), "privacy.clip_norm"),
        (("privacy.delta=0.7",), "privacy.delta"),
        (("batch_size=128",), "at most the 96 training rows"),
    ],
)
def test_what_does_not_go_together_is_refused(tiny_set, overrides, said):
    with pytest.raises(BadInput, match=said):
        setup.prepare(tiny(tiny_set, *overrides))


def test_other_tasks_and_moments_are_refused(tiny_set):
    with pytest.raises(BadInput, match="privacy.noise_multiplier=1: expected 0 with task flow"):
        setup.prepare(configs.load("procedural_flow:smoke", ["privacy.noise_multiplier=1.0"]))
    config = small_cvae(tiny_set)
    config.perceptual.update(reference="lite0@48", features=0.5, moments=0.1)
    with pytest.raises(BadInput, match="perceptual.moments"):
        setup.prepare(config)
    config = tiny(tiny_set, "privacy.epsilon=0.0")
    with config.unlocked():
        config.model.norm = "layer"
    with pytest.raises(BadInput, match="model cnn_simple: norm=layer"):
        setup.prepare(config)


def test_weights_that_have_seen_the_rows_are_no_start(tiny_set, tmp_path):
    plain = configs.load(f"{TINY}:{tiny_set}", ["epochs=1.0", "model.norm=group"])
    loop.run(plain, tmp_path / "plain", quiet=True)
    with pytest.raises(BadInput, match="init_from=.*have seen the training set, tiny"):
        loop.run(tiny(tiny_set, f"init_from={tmp_path / 'plain'}"), tmp_path / "private", quiet=True)
