"""Image similarity: equal to scikit-image's, and usable inside a gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from skimage.metrics import structural_similarity

from fergen.metrics.similarity import mse, ssim


def pairs(channels, noise=0.3):
    rng = np.random.default_rng(0)
    a = np.clip(rng.normal(size=(3, 24, 31, channels)).cumsum(1).cumsum(2) / 20, -1, 1).astype(np.float32)
    return a, np.clip(a + rng.normal(size=a.shape).astype(np.float32) * noise, -1, 1)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("noise", [0.02, 0.3])
def test_ssim_equals_scikit_image(channels, noise):
    a, b = pairs(channels, noise)
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 2.0}
    expected = [structural_similarity(x, y, channel_axis=-1, **options) for x, y in zip(a, b)]
    np.testing.assert_allclose(ssim(a, b), expected, atol=2e-5)


def test_ssim_in_closed_form():
    a, _ = pairs(1)
    np.testing.assert_allclose(ssim(a, a), 1, atol=1e-5)
    # Plain images differ in luminance alone.
    level = [np.full((1, 12, 12, 1), value, np.float32) for value in (0.5, -0.25)]
    np.testing.assert_allclose(ssim(*level), (2 * 0.5 * -0.25 + 4e-4) / (0.25 + 0.0625 + 4e-4), rtol=1e-4)
    # The negative of a checkerboard has its luminance and the opposite structure.
    board = (np.indices((12, 12)).sum(0) % 2 * 2.0 - 1)[None, :, :, None].astype(np.float32)
    assert ssim(board, -board)[0] < -0.99


def test_ssim_has_a_finite_gradient_towards_likeness():
    a, b = pairs(1)
    gradient = jax.jit(jax.grad(lambda x: ssim(x, b).mean()))(jnp.asarray(a))
    assert np.isfinite(gradient).all()
    assert ssim(a + 10 * gradient, b).mean() > ssim(a, b).mean()


def test_ssim_refuses_images_smaller_than_its_window():
    with pytest.raises(ValueError, match="at least 11 pixels"):
        ssim(jnp.zeros((1, 10, 20, 1)), jnp.zeros((1, 10, 20, 1)))


def test_mse_is_per_image():
    a = np.stack([np.full((4, 5, 1), level, np.float32) for level in (-1, 0, 0.5)])
    np.testing.assert_allclose(mse(a, np.full_like(a, 0.5)), [2.25, 0.25, 0])
