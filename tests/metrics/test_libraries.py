"""The measures of generators against the libraries that people use, on the same features."""

import numpy as np
import pytest

from fergen.metrics import frechet
from fergen.metrics.frechet import Moments
from fergen.metrics.kernel import kernel_distance
from fergen.metrics.manifold import manifold

pytestmark = pytest.mark.parity


@pytest.fixture(scope="module")
def features():
    """Correlated, clipped at zero as pooled features are."""
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(64, 64)) / 8
    draw = lambda n, shift: np.maximum(rng.normal(size=(n, 64)) @ mixing + shift, 0).astype(np.float32)  # noqa: E731
    return draw(700, 0.3), draw(500, 0.4)


def test_frechet_distance_equals_torch_fidelitys(features):
    library = pytest.importorskip("torch_fidelity.metric_fid")
    import torch

    sides = [library.fid_features_to_statistics(torch.from_numpy(x.astype(np.float64))) for x in features]
    expected = library.fid_statistics_to_metric(*sides, verbose=False)[library.KEY_METRIC_FID]
    found = frechet.between(*(Moments(64).add(x) for x in features))
    assert found == pytest.approx(expected, rel=1e-8)


def test_kernel_distance_equals_torch_fidelitys(features):
    """A subset that is the whole of both sets has nothing random about it."""
    library = pytest.importorskip("torch_fidelity.metric_kid")
    import torch

    a, b = (x[:500].astype(np.float64) for x in features)
    options = {"kid_subsets": 1, "kid_subset_size": 500, "verbose": False, "rng_seed": 0}
    options |= {"kid_kernel_poly_degree": 3, "kid_kernel_poly_gamma": None, "kid_kernel_poly_coef0": 1}
    expected = library.kid_features_to_metric(torch.from_numpy(a), torch.from_numpy(b), **options)
    assert kernel_distance(a, b, resamples=0).value == pytest.approx(expected[library.KEY_METRIC_KID_MEAN], rel=1e-8)


def test_kernel_distance_is_what_torch_fidelitys_subsets_average_to(features):
    library = pytest.importorskip("torch_fidelity.metric_kid")
    import torch

    options = {"kid_subsets": 300, "kid_subset_size": 100, "verbose": False, "rng_seed": 0}
    options |= {"kid_kernel_poly_degree": 3, "kid_kernel_poly_gamma": None, "kid_kernel_poly_coef0": 1}
    theirs = library.kid_features_to_metric(*map(torch.from_numpy, features), **options)
    error = theirs[library.KEY_METRIC_KID_STD] / np.sqrt(300)
    found = kernel_distance(*features, resamples=0).value
    assert found == pytest.approx(theirs[library.KEY_METRIC_KID_MEAN], abs=4 * error)


def test_manifold_equals_prdcs(features):
    library = pytest.importorskip("prdc")
    real, fake = features
    expected = library.compute_prdc(real, fake, nearest_k=5)
    assert manifold(real, fake, 5)._asdict() == pytest.approx(expected, abs=1e-12)
