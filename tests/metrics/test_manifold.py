"""Neighbours, manifolds, diversity and Wilson's interval: by hand, by libraries, by theory."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import cdist, pdist
from scipy.stats import binomtest
from sklearn.neighbors import NearestNeighbors

from fergen.metrics import neighbours
from fergen.metrics.diversity import Spread
from fergen.metrics.manifold import manifold, radii
from fergen.metrics.neighbours import nearest
from fergen.metrics.proportion import wilson


@pytest.fixture(params=[64_000_000, 4_000], ids=["one block", "many blocks"])
def blocks(request, monkeypatch):
    monkeypatch.setattr(neighbours, "_BLOCK_BYTES", request.param)


def by_definition(real, fake, k):
    """The published formulas, read off the whole matrices of distances."""
    real_reach = np.sort(cdist(real, real), axis=1)[:, k]
    fake_reach = np.sort(cdist(fake, fake), axis=1)[:, k]
    between = cdist(real, fake)
    return (
        (between <= real_reach[:, None]).any(0).mean(),
        (between <= fake_reach).any(1).mean(),
        (between <= real_reach[:, None]).sum() / (k * len(fake)),
        (between.min(1) <= real_reach).mean(),
    )


@pytest.mark.parametrize(("shift", "scale"), [(0, 1), (1.5, 1), (0, 0.3), (0, 3)])
def test_manifold_equals_its_definition(blocks, shift, scale):
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(90, 6)), shift + scale * rng.normal(size=(70, 6))
    for k in (1, 5):
        np.testing.assert_allclose(manifold(real, fake, k), by_definition(real, fake, k), atol=1e-12)


def test_manifold_equals_stylegan2s_precision_and_recall():
    with np.load(Path(__file__).parent / "stylegan2_metrics.npz") as recorded:
        real, fake = recorded["real"].astype(np.float16), recorded["gen"].astype(np.float16)
        found = manifold(real, fake, 3)
        # Recorded from distances in half precision: up to a few faces in hundreds lie on the other side of a border.
        assert found.precision == pytest.approx(float(recorded["precision"]), abs=4 / len(fake))
        assert found.recall == pytest.approx(float(recorded["recall"]), abs=4 / len(real))


def test_manifold_of_one_distribution():
    """Density is 1 and coverage 1 - prod (n - i)/(2n - i) in expectation, in any distribution and dimension."""
    rng, n, k = np.random.default_rng(1), 100, 5
    found = [manifold(rng.normal(size=(n, 3)), rng.normal(size=(n, 3)), k) for _ in range(60)]
    i = np.arange(1, k + 1)
    assert np.mean([m.coverage for m in found]) == pytest.approx(1 - np.prod((n - i) / (2 * n - i)), abs=0.006)
    assert np.mean([m.density for m in found]) == pytest.approx(1, abs=0.05)


def test_manifold_tells_collapse_from_leaving():
    rng = np.random.default_rng(2)
    real = rng.normal(size=(200, 4))
    one_face = np.repeat(real[:1], 200, axis=0) + 1e-3 * rng.normal(size=(200, 4))
    collapsed, elsewhere = manifold(real, one_face), manifold(real, real + 100)
    assert collapsed.precision == 1
    assert collapsed.coverage < 0.2
    assert collapsed.recall < 0.05
    assert elsewhere == (0, 0, 0, 0)


def test_nearest_equals_scikit_learns(blocks):
    rng = np.random.default_rng(3)
    queries, references = rng.normal(size=(20, 10)), rng.normal(size=(333, 10))
    distances, index = nearest(queries, references, 7)
    expected = NearestNeighbors(n_neighbors=7, algorithm="brute").fit(references).kneighbors(queries)
    np.testing.assert_array_equal(index, expected[1])
    np.testing.assert_allclose(distances, expected[0], rtol=1e-9)


def test_nearest_of_images_is_exact(blocks):
    images = np.random.default_rng(4).integers(256, size=(60, 48), dtype=np.uint8)
    distances, index = nearest(images[[5, 50]], images, 2)
    np.testing.assert_array_equal(index[:, 0], [5, 50])
    np.testing.assert_array_equal(distances[:, 0], 0)
    difference = images[[5, 50]].astype(float) - images[index[:, 1]]
    np.testing.assert_allclose(distances[:, 1], np.linalg.norm(difference, axis=1))


def test_radii_leave_out_the_row_itself():
    np.testing.assert_allclose(radii(np.array([[0.0], [1.0], [3.0], [7.0]]), 2), [3, 2, 3, 6])
    with pytest.raises(ValueError, match="more than k = 5"):
        radii(np.zeros((5, 2)))
    with pytest.raises(ValueError, match="number of references, 5"):
        nearest(np.zeros((1, 2)), np.zeros((5, 2)), 6)


def test_diversity_is_the_mean_over_pairs():
    x = np.random.default_rng(5).normal(size=(80, 6)) + 50
    found = Spread(6)
    for part in np.array_split(x, 5):
        found.add(part)
    assert found.diversity() == pytest.approx(np.square(pdist(x)).mean(), rel=1e-9)
    assert Spread(6).add(np.repeat(x[:1], 9, axis=0)).diversity() == pytest.approx(0, abs=1e-8)
    assert np.isnan(Spread(6).add(x[:1]).diversity())


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (10, 10), (3, 44), (187, 200)])
def test_wilson_equals_scipys(hits, n):
    expected = binomtest(hits, n).proportion_ci(method="wilson")
    np.testing.assert_allclose(wilson(hits, n), (expected.low, expected.high), atol=1e-12)
    assert all(np.isnan(wilson(0, 0)))
