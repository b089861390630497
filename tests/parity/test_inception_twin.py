"""FID's Inception v3 equals a PyTorch twin layer by layer, and another implementation from pixels to features."""

import jax
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from fergen.convert import inception  # noqa: E402
from fergen.models import inception_v3  # noqa: E402
from fergen.train import feature_spaces, foreign  # noqa: E402
from tests.parity.layers import randomise, sown, watch  # noqa: E402
from tests.parity.twins.inception import InceptionV3  # noqa: E402

pytestmark = pytest.mark.parity


@pytest.fixture(scope="module")
def twin():
    torch.manual_seed(0)
    return randomise(InceptionV3(), 1)


@pytest.fixture(scope="module")
def file(twin, tmp_path_factory):
    path = tmp_path_factory.mktemp("inception") / "twin.pth"
    torch.save(twin.state_dict(), path)
    return path


def test_equal_layer_by_layer(twin, file):
    found = foreign.read("inception", file, **foreign.INCEPTION)
    assert (found.report.missing, found.report.unused) == ([], [])
    assert (found.report.adapted, found.report.replaced) == ({}, {})

    # Height and width differ, one odd and one even, so that both axes are told apart.
    x = np.random.default_rng(2).normal(size=(2, 107, 92, 3)).astype(np.float32)
    theirs = watch(twin)
    with torch.no_grad():
        expected = twin(torch.from_numpy(x.transpose(0, 3, 1, 2).copy())).numpy()
    module = inception_v3.build()
    run = jax.jit(lambda v, x: module.apply(v, x, capture_intermediates=True, mutable=["intermediates"]))
    logits, seen = run(found.variables, x)

    ours = sown(seen["intermediates"], inception.foreign_module)
    assert len(theirs) == 2 * 94 + 1  # convolutions, their normalisations, the dense layer
    for layer, output in theirs.items():
        scale = np.abs(output).max()
        np.testing.assert_allclose(ours[layer], output, rtol=1e-4, atol=2e-5 * scale, err_msg=layer)
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
    assert np.ptp(expected, axis=0).max() > 0  # the images matter


@pytest.mark.parametrize("shape", [(48, 48, 1), (310, 280, 3)])
def test_equal_to_torch_fidelity_from_pixels(file, shape, tmp_path):
    fidelity = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    network = fidelity.FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], str(file))
    images = np.random.default_rng(0).integers(0, 256, (2, *shape), np.uint8)
    colour = np.repeat(images, 3 // shape[-1], axis=-1)
    with torch.no_grad():
        (expected,) = network(torch.from_numpy(colour.transpose(0, 3, 1, 2).copy()))

    out = tmp_path / "inception.safetensors"
    foreign.convert("inception", file, out, **foreign.INCEPTION)
    space = feature_spaces.load(out)
    assert (space.name, space.dim) == ("inception", 2048)
    found = jax.jit(space.fn)(space.variables, images)
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-5 * np.abs(expected.numpy()).max())
