"""Every classifier equals a PyTorch twin, layer by layer, through a saved state dict."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from fergen.convert import efficientnet_lite, torchvision  # noqa: E402
from tests.parity.layers import randomise, sown, watch  # noqa: E402
from tests.parity.twins import cnn, efficientnet, mobilenet, resnet, vgg  # noqa: E402

pytestmark = pytest.mark.parity
CLASSES = 11
HIDDEN = 96  # instead of VGG's 4096, whose two dense layers would take 0.5 GB

# Height and width differ, one even and one odd, so that both kinds of padding and both axes are told apart.
CASES = {
    "resnet18": ("resnet", {"depth": 18}, lambda: resnet.ResNet(18, CLASSES), (64, 49, 3)),
    "resnet18_small": (
        "resnet", {"depth": 18, "stem": "small"}, lambda: resnet.ResNet(18, CLASSES, "small", 1), (24, 17, 1),
    ),
    "resnet34": ("resnet", {"depth": 34}, lambda: resnet.ResNet(34, CLASSES), (64, 49, 3)),
    "resnet50": ("resnet", {"depth": 50}, lambda: resnet.ResNet(50, CLASSES), (64, 49, 3)),
    "mobilenet_small": (
        "mobilenet", {"variant": "small"}, lambda: mobilenet.MobileNetV3("small", CLASSES), (64, 49, 3),
    ),
    "mobilenet_large": (
        "mobilenet", {"variant": "large"}, lambda: mobilenet.MobileNetV3("large", CLASSES), (64, 49, 3),
    ),
    "efficientnet_b0": (
        "efficientnet", {"variant": "b0"}, lambda: efficientnet.EfficientNet("b0", CLASSES), (64, 49, 3),
    ),
    "efficientnet_v2_s": (
        "efficientnet", {"variant": "v2_s"}, lambda: efficientnet.EfficientNet("v2_s", CLASSES), (64, 49, 3),
    ),
    "efficientnet_lite0": (
        "efficientnet", {"variant": "lite0"}, lambda: efficientnet.Lite0(CLASSES), (64, 49, 3),
    ),
    "vgg16_bn": ("vgg", {"depth": 16}, lambda: vgg.VGG(16, CLASSES, hidden=HIDDEN), (64, 97, 3)),
    "vgg19_bn": ("vgg", {"depth": 19}, lambda: vgg.VGG(19, CLASSES, hidden=HIDDEN), (64, 97, 3)),
    "vgg16": (
        "vgg", {"depth": 16, "batch_norm": False}, lambda: vgg.VGG(16, CLASSES, False, hidden=HIDDEN), (64, 97, 3),
    ),
    "cnn": ("cnn", {}, lambda: cnn.CNN(CLASSES), (48, 48, 1)),
    "cnn_simple": ("cnn_simple", {}, lambda: cnn.CNNSimple(CLASSES), (48, 48, 1)),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_equal_layer_by_layer(case, tmp_path, monkeypatch):
    name, options, make, shape = CASES[case]
    monkeypatch.setattr("fergen.models.vgg.HIDDEN", HIDDEN)
    torch.manual_seed(0)
    twin = randomise(make(), 1)
    path = tmp_path / "twin.pth"
    torch.save(twin.state_dict(), path)

    ours = importlib.import_module(f"fergen.models.{name}").build(num_classes=CLASSES, **options)
    x = np.random.default_rng(2).normal(size=(2, *shape)).astype(np.float32)
    shapes = jax.eval_shape(ours.init, jax.random.key(0), x)
    empty = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
    if options.get("variant") == "lite0":
        variables, report = efficientnet_lite.load(empty, path)
        foreign = efficientnet_lite.foreign_module
    else:
        variables, report = torchvision.load(path, name, empty)
        foreign = torchvision.foreign_module
    assert (report.missing, report.unused, report.adapted, report.replaced) == ([], [], {}, {})

    theirs = watch(twin)
    with torch.no_grad():
        expected = twin(torch.from_numpy(x.transpose(0, 3, 1, 2).copy())).numpy()

    run = jax.jit(lambda v, x: ours.apply(v, x, capture_intermediates=True, mutable=["intermediates"]))
    logits, seen = run(variables, jnp.asarray(x))
    found = sown(seen["intermediates"], foreign)
    assert set(theirs) <= set(found)
    for layer, output in theirs.items():
        scale = np.abs(output).max()
        np.testing.assert_allclose(found[layer], output, rtol=1e-4, atol=2e-5 * scale, err_msg=layer)
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
    assert np.ptp(expected, axis=0).max() > 0  # the images matter
