"""Batched outputs: padding changes nothing, views are averaged as probabilities."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fergen.core import mesh as meshes
from fergen.core.arrays import to_float
from fergen.evals.predictions import logits
from tests.evals.handmade import linear


@pytest.fixture(scope="module")
def sample():
    rng = np.random.default_rng(0)
    images = rng.integers(256, size=(21, 12, 12, 1), dtype=np.uint8)
    variables = {"kernel": rng.normal(size=(144, 3)).astype(np.float32) / 200}
    return images, variables


def normalised(variables, images):
    return linear(variables, to_float(images)) * 20


@pytest.mark.parametrize("batch", [1, 8, 21, 64])
def test_padded_batches_equal_unpadded(sample, batch):
    images, variables = sample
    found = logits(linear, variables, images, batch=batch)
    assert found.dtype == np.float32
    np.testing.assert_allclose(
        found, images.reshape(21, -1).astype(np.float32) @ variables["kernel"], rtol=1e-4, atol=1e-4
    )


def test_split_over_devices_equals_one_device(sample):
    images, variables = sample
    assert jax.device_count() > 1
    mesh = meshes.build()
    found = logits(normalised, variables, images, batch=2 * mesh.size, mesh=mesh)
    np.testing.assert_allclose(found, logits(normalised, variables, images, batch=21), rtol=1e-5, atol=1e-6)


def test_one_compilation_serves_all_batches(sample):
    images, variables = sample
    traces = []

    def counted(variables, images):
        traces.append(images.shape)
        return linear(variables, images)

    logits(counted, variables, images, batch=8)
    logits(counted, variables, images[:5], batch=8)
    assert traces == [(8, 12, 12, 1)]


def test_flip_averages_the_probabilities_of_both_views(sample):
    images, variables = sample
    each = [jax.nn.softmax(normalised(variables, jnp.asarray(view))) for view in (images, images[:, :, ::-1])]
    found = jax.nn.softmax(logits(normalised, variables, images, batch=8, views="flip"))
    np.testing.assert_allclose(found, (each[0] + each[1]) / 2, rtol=1e-4, atol=1e-6)
    assert np.abs(np.asarray(each[0] - each[1])).max() > 0.01


def test_ten_crop_averages_ten_windows(sample):
    images, _ = sample
    slope = jnp.asarray([4.0, -2.0, 0.5])

    def by_corner(variables, images):
        # Depends on the window's place, and takes windows of any size.
        return to_float(images)[:, 0, :2, 0].mean(1, keepdims=True) * variables["slope"]

    found = jax.nn.softmax(logits(by_corner, {"slope": slope}, images, batch=8, views="ten_crop"))
    as_float = to_float(images)
    windows = [as_float[:, y : y + 11, x : x + 11] for y, x in ((0, 0), (0, 1), (1, 0), (1, 1), (0, 0))]
    each = [jax.nn.softmax(by_corner({"slope": slope}, w)) for view in windows for w in (view, view[:, :, ::-1])]
    np.testing.assert_allclose(found, np.mean(each, axis=0), rtol=1e-4, atol=1e-6)


def test_no_images_is_an_error(sample):
    with pytest.raises(ValueError, match="at least one image"):
        logits(linear, sample[1], sample[0][:0])
