"""Sampling: a row's face depends on its number alone, whatever the batch, the devices, or how the sampler loops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fergen.core import mesh as meshes
from fergen.evals import sampling

K, LATENT, SHAPE = 3, 5, (6, 4, 1)
SPEC = {"classes": ["a", "b", "c"], "conditional": True, "latent": [LATENT]}


def draw(key):
    return jax.random.normal(key, (LATENT,))


def sample(variables, latents, labels):
    one_hot = jax.nn.one_hot(labels, K)
    return jnp.tanh((latents @ variables["z"] + one_hot @ variables["y"]).reshape(-1, *SHAPE))


PREDICT = {"draw": draw, "sample": sample}
SIZE = int(np.prod(SHAPE))


@pytest.fixture(scope="module")
def variables():
    rng = np.random.default_rng(0)
    return {"z": rng.normal(size=(LATENT, SIZE)).astype(np.float32), "y": rng.normal(size=(K, SIZE)).astype(np.float32)}


def faces(variables, rows, labels, **options):
    return sampling.of_rows(PREDICT, SPEC, variables, np.asarray(rows), np.asarray(labels), **options)


def test_images_are_those_of_the_documented_latents(variables):
    rows, labels = np.array([0, 7, 1_000_000_007]), np.array([2, 0, 1])
    keys = [jax.random.fold_in(sampling.latent_key(3), row) for row in rows]
    floats = np.asarray(sample(variables, jnp.stack([draw(key) for key in keys]), labels))
    expected = np.clip(np.round((floats + 1) * 127.5), 0, 255)
    found = faces(variables, rows, labels, seed=3)
    assert found.dtype == np.uint8
    # A float on the border of two levels may round to either.
    assert np.abs(found - expected).max() <= 1
    assert (found == expected).mean() > 0.98


@pytest.mark.parametrize("batch", [1, 4, 7, 100])
def test_a_rows_face_does_not_depend_on_the_batch(variables, batch):
    rows, labels = np.arange(10, 33), np.arange(23) % K
    whole = faces(variables, rows, labels, batch=23)
    parts = list(sampling.samples(PREDICT, SPEC, variables, rows, labels, batch=batch))
    np.testing.assert_array_equal(np.concatenate([part for part, _ in parts]), rows)
    assert [len(images) for _, images in parts] == [min(batch, 23 - i) for i in range(0, 23, batch)]
    found = np.concatenate([images for _, images in parts]).astype(int)
    assert np.abs(found - whole).max() <= 1
    assert (found == whole).mean() > 0.99


def test_resumption_gives_the_same_faces(variables):
    rows, labels = np.arange(20), np.arange(20) % K
    whole, rest = faces(variables, rows, labels, batch=8), faces(variables, rows[9:], labels[9:], batch=8)
    assert np.abs(whole[9:].astype(int) - rest).max() <= 1
    assert np.abs(whole[9:].astype(int) - faces(variables, rows[9:], labels[9:], batch=8, seed=1)).max() > 20


def test_eight_devices_give_the_same_faces(variables):
    rows, labels = np.arange(21), np.arange(21) % K
    mesh = meshes.build()
    assert mesh.size == 8
    done = []
    split = faces(variables, rows, labels, batch=10, mesh=mesh, advance=done.append)
    assert np.abs(split.astype(int) - faces(variables, rows, labels, batch=10)).max() <= 1
    assert done == [16, 5]  # ten, rounded up to the devices


def test_one_compilation_serves_all_batches(variables):
    traced = []

    def counted(variables, latents, labels):
        traced.append(len(latents))
        return sample(variables, latents, labels)

    net = {"draw": draw, "sample": counted}
    for rows in (np.arange(11), np.arange(100, 111)):
        assert len(sampling.of_rows(net, SPEC, variables, rows, rows % K, batch=4)) == 11
    assert traced == [4]


def test_steps_called_one_by_one_equal_the_whole(variables):
    """On a CPU the steps of a sampler are calls; elsewhere its own loop runs. Both are the same faces."""
    steps = 3

    def sample_step(variables, x, i, labels):
        pull = jax.nn.one_hot(labels, K) @ variables["y"]
        return x + (jnp.tanh(pull).reshape(x.shape) - x) * (i + 1) / (steps + 1)

    def looped(variables, latents, labels):
        return jax.lax.fori_loop(0, steps, lambda i, x: sample_step(variables, x, i, labels), latents)

    net = {"draw": lambda key: jax.random.normal(key, SHAPE), "sample": looped, "sample_step": sample_step}
    rows, labels = np.arange(9), np.arange(9) % K
    one_by_one = sampling.of_rows(net, SPEC | {"sampler": {"steps": steps}}, variables, rows, labels, batch=4)
    del net["sample_step"]
    whole = sampling.of_rows(net, SPEC, variables, rows, labels, batch=4)
    assert np.abs(one_by_one.astype(int) - whole).max() <= 1
    assert whole.std() > 10


def test_wrong_numbers_of_rows(variables):
    with pytest.raises(ValueError, match="a label for each row"):
        faces(variables, np.arange(3), np.arange(2))
    assert list(sampling.samples(PREDICT, SPEC, variables, np.arange(0), np.arange(0))) == []
