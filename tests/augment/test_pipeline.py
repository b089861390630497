"""The configured augmentation: off by default, deterministic, checked."""

import jax
import ml_collections
import numpy as np
import pytest

from fergen.augment.pipeline import Settings, build, read
from fergen.core.errors import BadInput

ALL = {
    "flip": True,
    "rotate": 10,
    "scale": 0.1,
    "aspect": 0.1,
    "shear": 5,
    "translate": 0.1,
    "brightness": 0.2,
    "contrast": 0.2,
    "gamma": 0.2,
    "saturation": 0.2,
    "noise": 0.02,
    "erase": 0.25,
    "mixup": 0.2,
    "cutmix": 1.0,
    "mix_probability": 0.5,
}


@pytest.fixture
def batch() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (32, 16, 16, 3)).astype(np.float32)
    return x, np.eye(4, dtype=np.float32)[rng.integers(0, 4, 32)]


@pytest.mark.parametrize("config", [None, {}, dict.fromkeys(ALL, 0), dict.fromkeys(ALL, False), dict.fromkeys(ALL)])
def test_absent_and_zero_fields_change_nothing(config, batch):
    config = ml_collections.ConfigDict(config) if config else config
    images, labels = jax.jit(build(config))(jax.random.key(0), *batch)
    np.testing.assert_array_equal(images, batch[0])
    np.testing.assert_array_equal(labels, batch[1])


@pytest.mark.parametrize("field", [name for name in ALL if name != "mix_probability"])
def test_every_field_does_something_alone(field, batch):
    images, labels = jax.jit(build({field: ALL[field]}))(jax.random.key(0), *batch)
    assert images.shape == batch[0].shape
    assert images.dtype == np.float32
    assert np.abs(images - batch[0]).max() > 1e-3
    assert (np.abs(labels - batch[1]).max() > 0) == (field in ("mixup", "cutmix"))


def test_all_together_under_jit(batch):
    augment = jax.jit(build(ml_collections.ConfigDict(ALL)))
    first = jax.tree.map(np.asarray, augment(jax.random.key(1), *batch))
    again = augment(jax.random.key(1), *batch)
    other = augment(jax.random.key(2), *batch)
    jax.tree.map(np.testing.assert_array_equal, first, jax.tree.map(np.asarray, again))
    assert np.abs(first[0] - other[0]).max() > 0.1
    assert np.abs(first[0]).max() <= 1
    np.testing.assert_allclose(first[1].sum(-1), 1, rtol=1e-5)


def test_images_draw_their_own_parameters():
    same = np.broadcast_to(np.random.default_rng(0).uniform(-1, 1, (1, 16, 16, 1)), (8, 16, 16, 1)).astype(np.float32)
    for config in ({"rotate": 20}, {"brightness": 0.5}, {"erase": 1.0}, {"noise": 0.1}):
        images, _ = jax.jit(build(config))(jax.random.key(0), same, np.ones((8, 1), np.float32))
        assert len({image.tobytes() for image in np.asarray(images)}) == 8


def test_a_field_leaves_the_draws_of_the_others_alone(batch):
    key = jax.random.key(0)
    plain, _ = jax.jit(build({"rotate": 10}))(key, *batch)
    erased, _ = jax.jit(build({"rotate": 10, "erase": 0.5}))(key, *batch)
    flipped, _ = jax.jit(build({"rotate": 10, "flip": 0.5}))(key, *batch)
    assert (np.asarray(plain == erased).all((1, 2, 3))).any()
    assert (np.asarray(plain == flipped).all((1, 2, 3))).any()
    assert np.asarray(plain == erased).mean() > 0.5


def test_crop_sets_the_size(batch):
    images, _ = jax.jit(build({"crop": 12, "flip": True}))(jax.random.key(0), *batch)
    assert images.shape == (32, 12, 12, 3)


def test_settings_are_resolved():
    assert read(None) == Settings()
    assert read({"flip": True, "scale": 0.2}) == Settings(flip=0.5, scale=(0.8, 1.2))
    assert read({"scale": [0.5, 1.0]}).scale == (0.5, 1.0)


BAD = {
    "augment.rotation: unknown field; the fields are flip, rotate": {"rotation": 10},
    "augment.rotate: expected a number from 0 to 180, found '10'": {"rotate": "10"},
    "augment.rotate: expected a number from 0 to 180, found True": {"rotate": True},
    "augment.rotate: expected a number from 0 to 180, found nan": {"rotate": float("nan")},
    "augment.erase: expected a number from 0 to 1, found 25": {"erase": 25},
    "augment.translate: expected a number from 0 to 1, found -0.1": {"translate": -0.1},
    "augment.crop: expected a whole number from 0 to 8192, found 0.9": {"crop": 0.9},
    "augment.scale: expected a number from 0 to 0.95, found 1.5": {"scale": 1.5},
    "augment.scale: expected a pair (least, greatest), found (1, 2, 3)": {"scale": (1, 2, 3)},
    "augment.scale: expected the least value first, found (1.2, 0.8)": {"scale": (1.2, 0.8)},
    "augment.padding: expected one of constant, edge, reflect, found 'zero'": {"padding": "zero"},
    "augment: expected fields, found 'flip'": "flip",
}


@pytest.mark.parametrize("message", BAD)
def test_bad_fields_are_named(message):
    with pytest.raises(BadInput) as error:
        build(BAD[message])
    assert str(error.value).startswith(message)


def test_eight_devices_give_the_images_of_one(batch):
    mesh = jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    shards = jax.device_put(batch, jax.sharding.NamedSharding(mesh, jax.P("data")))
    augment = jax.jit(build(ALL))
    one = jax.block_until_ready(augment(jax.random.key(3), *batch))
    eight = jax.block_until_ready(augment(jax.random.key(3), *shards))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), one, eight)
