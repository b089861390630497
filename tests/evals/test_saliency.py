"""Saliency: closed forms, completeness, every architecture, and maps that go by the weights."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from skimage import data

from fergen import main
from fergen.core.errors import BadInput
from fergen.evals.saliency import METHODS, enlarged, grad_cam, integrated_gradients, saliency
from fergen.tasks import classifier
from fergen.train.restore import restore
from tests.contract.world import refused
from tests.models.test_contract import draw
from tests.tasks.test_maps import MAPS, spec_of

RNG = np.random.default_rng(0)
# Where the last convolution stands before any pooling: the map that is sown there, and its size of 48x48 images.
LAST = {
    "fernet": ("stage3", 6), "cnn": ("stage4", 6), "cnn_simple": ("stage3", 12), "resnet": ("stage4", 6),
    "efficientnet": ("feature_map", 3), "mobilenet": ("feature_map", 2), "vgg": ("relu5_3", 3),
}  # fmt: skip


@pytest.fixture(scope="module")
def face():
    """The astronaut's face, gray, cropped."""
    colour = data.astronaut()[70:170, 175:275]
    return (colour @ [0.299, 0.587, 0.114]).round().astype(np.uint8)[None, ::2, ::2, None][:, :48, :48]


@pytest.fixture(scope="module")
def small():
    return restore("fer2013_small")


def test_integrated_gradients_of_a_linear_network_are_weight_times_difference():
    kernel = RNG.normal(size=(4 * 4 * 3, 5)).astype(np.float32)
    images = RNG.uniform(-1, 1, (3, 4, 4, 3)).astype(np.float32)
    targets = np.array([0, 4, 2])

    def logits(variables, x):
        return x.reshape(len(x), -1) @ variables + 7

    found = integrated_gradients(logits, kernel, jnp.asarray(images), targets, baseline=-0.25, points=3)
    wanted = (images + 0.25) * kernel.T[targets].reshape(images.shape)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_integrated_gradients_of_a_product_share_it_evenly():
    """Of x y from (0, 0) each factor has half: the integral of t x y over [0, 1]; a gradient alone would give all."""

    def logits(_, x):
        return (x[:, 0, 0, 0] * x[:, 0, 1, 0])[:, None]

    images = jnp.asarray([[[[3.0], [5.0]]]])
    found = integrated_gradients(logits, {}, images, np.array([0]), baseline=0.0, points=1)
    np.testing.assert_allclose(found.ravel(), [7.5, 7.5], rtol=1e-6)


def test_grad_cam_of_a_constructed_network():
    """Logits are fixed sums over positions of two maps: alphas and the map follow by hand."""
    activations = np.zeros((1, 2, 2, 2), np.float32)
    activations[0, :, :, 0] = [[1, 2], [3, 4]]
    activations[0, :, :, 1] = [[1, 0], [0, 8]]
    weights = np.zeros((2, 2, 2, 2), np.float32)  # position, channel -> logit
    weights[:, :, 0, 0] = [[4, 0], [0, 4]]  # alpha 2 of channel 0
    weights[:, :, 1, 0] = -1  # alpha -1 of channel 1
    weights[:, :, 1, 1] = 3

    def probe(variables, images, added=None):
        x = images if added is None else images + added
        return jnp.einsum("bhwc,hwck->bk", x, variables), images

    found = grad_cam(probe, weights, activations, np.array([0]))
    np.testing.assert_allclose(found, [[[1, 4], [6, 0]]])
    other = grad_cam(probe, weights, activations, np.array([1]))
    np.testing.assert_allclose(other, [[[3, 0], [0, 24]]])


def test_enlarged_maps_keep_a_constant_and_the_place_of_a_peak():
    assert np.ptp(enlarged(jnp.ones((1, 2, 2)), (9, 7))) < 1e-6
    one = np.zeros((1, 4, 4), np.float32)
    one[0, 1, 2] = 1
    found = np.asarray(enlarged(jnp.asarray(one), (16, 16)))[0]
    assert np.array(np.unravel_index(found.argmax(), found.shape)) // 4 == pytest.approx([1, 2])


@pytest.mark.parametrize("name", MAPS)
def test_the_probe_is_at_the_last_convolution_of_every_architecture(name):
    """By shapes: the unpooled activations; what is added to them reaches the logits (checked by compilation alone)."""
    options, _ = MAPS[name]
    spec = spec_of(name, options)
    predict, shapes = classifier.predict_of(spec), classifier.shapes_of(spec)
    images = jax.ShapeDtypeStruct((2, 48, 48, 1), jnp.float32)
    logits, activations = jax.eval_shape(predict["probe"], shapes, images)
    sown, size = LAST[name]
    assert activations.shape == jax.eval_shape(predict["maps"], shapes, images)[sown].shape
    assert activations.shape[1:3] == (size, size)
    assert logits.shape == (2, 2)
    assert jax.eval_shape(lambda v, x: grad_cam(predict["probe"], v, x, jnp.zeros(2, int)), shapes, images).shape == (
        2, size, size,
    )  # fmt: skip
    assert not [name for name in shapes if name not in ("params", "batch_stats")], "the probe brings no variables"


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("fernet", {"widths": (4, 8), "depths": (1, 1)}),
        ("cnn", {"width": 1 / 16}),
        ("cnn_simple", {"filters": (4, 8), "hidden": 8}),
        pytest.param("resnet", {"depth": 18, "stem": "small"}, marks=pytest.mark.slow),
        pytest.param("mobilenet", {"stem": "small"}, marks=pytest.mark.slow),
        pytest.param("efficientnet", {"variant": "lite0", "stem": "small"}, marks=pytest.mark.slow),
        pytest.param("vgg", {"head": "small"}, marks=pytest.mark.slow),
    ],
)
def test_the_gradient_is_that_of_what_follows(name, options):
    """Raising an activation by d raises the logit by gradient x d; the logits without are those of `logits`."""
    spec = spec_of(name, options)
    predict, variables = classifier.predict_of(spec), draw(classifier.shapes_of(spec))
    images = np.random.default_rng(1).integers(0, 256, (1, 48, 48, 1)).astype(np.uint8)

    @jax.jit
    def both(variables, images, added):
        def score(added):
            logits, activations = predict["probe"](variables, images, added)
            return logits[0, 1], (logits, activations)

        return jax.value_and_grad(score, has_aux=True)(added)

    shape = jax.eval_shape(predict["probe"], variables, images)[1].shape
    (_, (logits, activations)), gradient = both(variables, images, np.zeros(shape, np.float32))
    np.testing.assert_allclose(logits, jax.jit(predict["logits"])(variables, images), rtol=1e-3, atol=1e-3)
    assert np.abs(gradient).max() > 0
    step = np.zeros(shape, np.float32)
    at = np.unravel_index(np.abs(gradient).argmax(), shape)
    step[at] = 0.1 * max(1.0, abs(float(activations[at])))
    (there, _), _ = both(variables, images, step)
    assert float(there - logits[0, 1]) == pytest.approx(float(gradient[at] * step[at]), rel=0.05)


@pytest.mark.parametrize("target", [None, "angry"])
def test_attributions_add_up_to_the_logit_difference(small, face, target):
    found = saliency(small, face, method="integrated_gradients", target=target, points=128)
    assert found.maps.shape == (1, 48, 48)
    assert abs(found.gained[0]) > 0.5
    assert found.maps.sum() == pytest.approx(found.gained[0], rel=0.02)
    assert found.maps.min() < 0 < found.maps.max()
    if target:
        assert small.spec["classes"][found.targets[0]] == target
    else:
        assert found.targets[0] == found.probabilities[0].argmax()


def test_rows_are_apart_whatever_the_batch(small, face):
    """An image's map is the same alone and among others, across the borders of compiled calls."""
    several = np.concatenate([face, 255 - face, face[:, ::-1]] * 23)
    for method in METHODS:
        alone, among = (saliency(small, x, method=method, target="happy", points=4).maps for x in (face, several))
        np.testing.assert_allclose(among[0], alone[0], rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(among[66], alone[0], rtol=1e-3, atol=1e-5)
        assert np.abs(among[1] - among[0]).max() > 1e-3


@pytest.mark.parametrize("method", METHODS)
def test_random_weights_give_another_map(small, face, method):
    """Adebayo et al. 2018 (arXiv:1810.03292): a map that does not change with the weights explains the image alone."""
    from scipy.stats import spearmanr

    random = dataclasses.replace(small, variables=draw(classifier.shapes_of(small.spec)))
    ours, theirs = (saliency(net, face, method=method, target="happy").maps[0] for net in (small, random))
    again = saliency(small, face, method=method, target="happy").maps[0]
    np.testing.assert_array_equal(ours, again)
    assert ours.std() > 0
    assert abs(spearmanr(ours.ravel(), theirs.ravel()).statistic) < 0.7


def test_refusals(small, face):
    with pytest.raises(BadInput, match="method 'lime': expected grad_cam or integrated_gradients"):
        saliency(small, face, method="lime")
    with pytest.raises(BadInput, match="emotion 'contempt': 'fer2013_small' knows angry, "):
        saliency(small, face, target="contempt")
    with pytest.raises(BadInput, match="points=0: expected at least 1"):
        saliency(small, face, method="integrated_gradients", points=0)


@pytest.mark.parametrize("method", METHODS)
def test_the_command_draws_faces_with_their_maps(face, tmp_path, capsys, method):
    from PIL import Image

    Image.fromarray(data.astronaut()[70:170, 175:275]).save(tmp_path / "face.png")
    Image.fromarray(face[0, ..., 0]).save(tmp_path / "gray.png")
    out = tmp_path / "saliency.png"
    assert main.main(["saliency", str(tmp_path), f"--out={out}", f"--method={method}", "--emotion=happiness"]) == 0
    assert f"wrote {out}: 2 faces" in capsys.readouterr().out
    page = np.asarray(Image.open(out).convert("RGB")).astype(int)
    # The overlays bring colour to what is gray.
    assert (np.ptp(page, axis=-1) > 40).mean() > 0.01


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["nowhere.png"], "nowhere.png: no such file"),
        (["face.png", "--out=x.jpg"], "--out=x.jpg: expected a name that ends in .png"),
        (["face.png", "--emotion=bored"], "emotion 'bored': 'fer2013_distilled' knows angry"),
        (["face.png", "--weights=runs/nothing"], "weights 'runs/nothing': expected"),
        (["empty.png"], "empty.png"),
    ],
)
def test_the_command_refuses_in_one_line(tmp_path, monkeypatch, capsys, more, said):
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    Image.new("L", (48, 48)).save("face.png")
    (tmp_path / "empty.png").touch()
    refused(["saliency", *more], said, capsys)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty.png", "face.png"]
