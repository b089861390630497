"""Measures of an autoencoder, on autoencoders whose errors are known beforehand."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from fergen.core.arrays import to_float
from fergen.evals import reconstruction
from fergen.evals.reconstruction import FeatureMaps

BOXES = {"eyes": (0.0, 0.0, 0.25, 1.0), "mouth": (0.5, 0.25, 1.0, 0.75)}
N = 21


@dataclasses.dataclass
class Faces:
    """Stands for a split."""

    images: np.ndarray
    labels: np.ndarray

    def __len__(self):
        return len(self.images)

    @property
    def rows(self):
        return {"label": self.labels}


@pytest.fixture
def faces():
    rng = np.random.default_rng(0)
    return Faces(rng.integers(40, 200, (N, 16, 16, 1)).astype(np.uint8), np.arange(N, dtype=np.int32) % 3)


def autoencoder(error, variances=(1.0,)):
    """One that adds `error` [16, 16, 1] to every image; entry i of its latents is the image's mean times spread i."""
    spread = jnp.sqrt(jnp.asarray(variances))

    def encode(variables, images, labels):
        images = to_float(images)
        mean = images.mean((1, 2, 3))[:, None] / variables["size"] * spread
        return mean, jnp.full_like(mean, -1.0)

    def add(variables, images, labels):
        return to_float(images) + variables["strength"] * error

    return {"encode": encode, "reconstruct": add}


def test_errors_by_region(faces):
    error = np.zeros((16, 16, 1), np.float32)
    error[:4] = 0.1  # the eyes
    error[8:, 4:12] = 0.3  # the mouth
    net = autoencoder(error)
    found = reconstruction.measure(net, {"size": 1.0, "strength": 1.0}, faces, regions=BOXES, batch=8)
    assert found["mse/eyes"] == pytest.approx(0.01, rel=1e-4)
    assert found["mse/mouth"] == pytest.approx(0.09, rel=1e-4)
    assert found["mse/elsewhere"] == pytest.approx(0, abs=1e-9)
    assert found["mse"] == pytest.approx((64 * 0.01 + 64 * 0.09) / 256, rel=1e-4)
    assert 0 < found["ssim"] < 1

    perfect = reconstruction.measure(net, {"size": 1.0, "strength": 0.0}, faces, regions=BOXES)
    assert perfect["mse"] == 0
    assert perfect["ssim"] == pytest.approx(1)
    assert reconstruction.measure(net, {"size": 1.0, "strength": 0.0}, faces, regions={}).keys() == {
        *("mse", "kl", "ssim", "active_units")
    }


def test_figures_do_not_depend_on_the_batch(faces):
    net, variables = autoencoder(np.full((16, 16, 1), 0.2, np.float32)), {"size": 0.1, "strength": 1.0}
    done = []
    whole = reconstruction.measure(net, variables, faces, regions=BOXES, batch=N, advance=done.append)
    parts = reconstruction.measure(net, variables, faces, regions=BOXES, batch=4, advance=done.append)
    assert whole.keys() == parts.keys()
    for name, value in whole.items():
        assert value == pytest.approx(parts[name], rel=1e-5), name
    assert done == [N, *[4] * 5, 1]


def test_active_units_are_those_whose_mean_varies(faces):
    """The image's mean, scaled to variance 1, times roots of known variances: two of five are above 0.01."""
    size = float(to_float(faces.images).mean((1, 2, 3)).std())
    net = autoencoder(np.zeros((16, 16, 1), np.float32), (1.0, 0.011, 0.009, 1e-6, 0.0))
    found = reconstruction.measure(net, {"size": size, "strength": 0.0}, faces, regions={}, batch=8)
    assert found["active_units"] == 2
    rng = np.random.default_rng(0)
    means = rng.normal(size=(5000, 3)) * np.sqrt([0.02, 0.005, 4.0]) + [100.0, 5.0, 0.0]
    assert reconstruction.active_units(means) == 2


def test_divergence_in_closed_form(faces):
    found = reconstruction.measure(
        autoencoder(np.zeros((16, 16, 1), np.float32), (1.0, 0.0)), {"size": 1.0, "strength": 0.0}, faces, regions={}
    )
    mean = to_float(faces.images).mean((1, 2, 3)).astype(np.float64)
    each = 0.5 * (np.exp(-1.0) - 1 + 1)
    assert found["kl"] == pytest.approx(2 * each + 0.5 * (mean**2).mean(), rel=1e-4)


def test_perceptual_distance_names_its_network(faces):
    def maps(variables, images):
        x = to_float(images)
        return {"stage1": jnp.concatenate([x, variables * jnp.ones_like(x)], axis=-1)}

    nets = [FeatureMaps(name, maps, jnp.float32(1.0)) for name in ("ours", "theirs")]
    error, variables = np.full((16, 16, 1), 0.2, np.float32), {"size": 1.0, "strength": 1.0}
    found = reconstruction.measure(autoencoder(error), variables, faces, regions={}, networks=nets)
    # The angle between (x + 0.2, 1) and (x, 1) at each pixel.
    x = to_float(faces.images).astype(np.float64)
    cosine = ((x + 0.2) * x + 1) / np.sqrt(((x + 0.2) ** 2 + 1) * (x**2 + 1))
    assert found["perceptual/ours"] == pytest.approx((2 - 2 * cosine).mean(), rel=1e-3)
    assert found["perceptual/theirs"] == found["perceptual/ours"]


def test_along_training(faces):
    """An autoencoder that forgets all but the mean, under posterior noise of a known size."""
    sd = 0.5

    def encode(variables, images, labels):
        mean = to_float(images).mean((1, 2, 3))[:, None]
        return mean, jnp.full_like(mean, 2 * np.log(sd))

    def decode(variables, latents, labels):
        return jnp.broadcast_to(latents[:, :, None, None], (len(latents), 16, 16, 1))

    many = Faces(np.tile(faces.images, (40, 1, 1, 1)), np.tile(faces.labels, 40))
    evaluate = reconstruction.build({"encode": encode, "decode": decode}, many, batch=64)
    found = evaluate({})
    assert evaluate({}) == found, "the draws are always the same"
    x = to_float(many.images).astype(np.float64)
    mean, variance = x.mean((1, 2, 3)), x.var((1, 2, 3)).mean()
    kl = 0.5 * ((mean**2).mean() + sd**2 - 1 - 2 * np.log(sd))
    assert found["validation/mse"] == pytest.approx(variance, rel=1e-4)
    assert found["validation/kl"] == pytest.approx(kl, rel=1e-4)
    # Of 840 draws the mean square is sd^2 to 5 %.
    want = 256 / 2 * np.log(variance + sd**2) + kl
    assert found["validation/loss"] == pytest.approx(want, abs=256 / 2 * 0.1)
    assert found["validation/loss"] > 256 / 2 * np.log(variance) + kl
