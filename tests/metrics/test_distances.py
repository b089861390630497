"""Fréchet and kernel distance: closed forms, scipy, StyleGAN2's recorded figures, and what their sd means."""

from pathlib import Path

import numpy as np
import pytest
from scipy.linalg import sqrtm

from fergen.metrics import frechet
from fergen.metrics.frechet import Moments
from fergen.metrics.kernel import kernel_distance

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def recorded():
    with np.load(Path(__file__).parent / "stylegan2_metrics.npz") as stored:
        return dict(stored)


def moments(x, parts=1):
    found = Moments(x.shape[1])
    for part in np.array_split(x, parts):
        found.add(part)
    return found


def samples(n, d, shift=0.0, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) / np.sqrt(d) + shift).astype(np.float32)


def test_moments_of_a_stream_are_those_of_the_whole():
    # Far from the origin, where sums in float32 would have lost the covariance.
    x = samples(500, 8, shift=300.0)
    found = moments(x, parts=7)
    np.testing.assert_allclose(found.mean(), x.astype(np.float64).mean(0), rtol=1e-12)
    np.testing.assert_allclose(found.covariance(), np.cov(x.astype(np.float64), rowvar=False), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(
        found.covariance(ddof=0), np.cov(x.astype(np.float64), rowvar=False, ddof=0), rtol=1e-6, atol=1e-7
    )


def test_frechet_distance_of_gaussians_with_common_axes():
    # In the eigenvectors' basis the distance is |m1 - m2|^2 + sum (s1 - s2)^2.
    axes = np.linalg.qr(RNG.normal(size=(6, 6)))[0]
    a, b, shift = RNG.uniform(0, 3, 6), RNG.uniform(0, 3, 6), RNG.normal(size=6)
    covariances = [(axes * np.square(s)) @ axes.T for s in (a, b)]
    found = frechet.frechet_distance(shift, covariances[0], np.zeros(6), covariances[1])
    assert found == pytest.approx(np.square(shift).sum() + np.square(a - b).sum(), rel=1e-9)


def test_frechet_distance_equals_scipys_root():
    a, b = moments(samples(300, 12)), moments(samples(200, 12, 0.3, seed=1))
    product = sqrtm(a.covariance() @ b.covariance())
    expected = np.square(a.mean() - b.mean()).sum() + np.trace(a.covariance() + b.covariance() - 2 * product.real)
    assert frechet.between(a, b) == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_of_fewer_rows_than_dimensions():
    """The covariances are singular; the cross term is then the nuclear norm of the product of centred rows."""
    x, y = samples(20, 40), samples(30, 40, 0.5, seed=1)
    centred = [(rows - rows.mean(0)).astype(np.float64) for rows in (x, y)]
    cross = np.linalg.norm(centred[0] @ centred[1].T, "nuc") / np.sqrt(19 * 29)
    a, b = moments(x), moments(y)
    expected = np.square(a.mean() - b.mean()).sum() + np.trace(a.covariance()) + np.trace(b.covariance()) - 2 * cross
    assert frechet.between(a, b) == pytest.approx(expected, rel=1e-6)
    assert frechet.between(a, a) == pytest.approx(0, abs=1e-5)


def test_frechet_distance_equals_stylegan2s(recorded):
    real, fake = moments(recorded["real"], 3), moments(recorded["gen"], 4)
    found = frechet.frechet_distance(real.mean(), real.covariance(ddof=0), fake.mean(), fake.covariance(ddof=0))
    assert found == pytest.approx(float(recorded["fid"]), rel=1e-6)


def brute_force_kid(x, y):
    kernel = lambda a, b: (a @ b / len(a) + 1) ** 3  # noqa: E731
    within = [np.mean([kernel(z[i], z[j]) for i in range(len(z)) for j in range(len(z)) if i != j]) for z in (x, y)]
    return sum(within) - 2 * np.mean([kernel(a, b) for a in x for b in y])


def test_kernel_distance_by_hand():
    x, y = samples(7, 3).astype(np.float64), samples(9, 3, 0.4, seed=1).astype(np.float64)
    assert kernel_distance(x, y, resamples=0).value == pytest.approx(brute_force_kid(x, y), rel=1e-9)
    assert np.isnan(kernel_distance(x, y, resamples=0).sd)
    with pytest.raises(ValueError, match="at least two rows"):
        kernel_distance(x[:1], y)


def test_kernel_distance_equals_stylegan2s(recorded):
    subsets = zip(recorded["kid_real"], recorded["kid_gen"])
    found = [kernel_distance(recorded["real"][r], recorded["gen"][g], resamples=0).value for r, g in subsets]
    assert np.mean(found) == pytest.approx(float(recorded["kid"]), rel=1e-5)


def test_kernel_distance_does_not_depend_on_the_blocks(monkeypatch):
    x, y = samples(50, 5), samples(70, 5, 0.4, seed=1)
    whole = kernel_distance(x, y, resamples=20)
    monkeypatch.setattr("fergen.metrics.kernel.BLOCK", 7)
    np.testing.assert_allclose(kernel_distance(x, y, resamples=20), whole, rtol=1e-9)


def test_kernel_distance_is_unbiased_and_its_sd_is_that_of_the_estimate():
    rng = np.random.default_rng(1)
    found = [
        kernel_distance(rng.normal(size=(60, 4)), rng.normal(size=(40, 4)) + 0.5, resamples=100, seed=trial)
        for trial in range(150)
    ]
    values, sds = np.array(found).T
    # In closed form for Gaussians: u = x.y/d has moments over independent x, y, and k = 1 + 3u + 3u^2 + u^3. Here from
    # a large sample instead, whose own error is small beside that of the mean of 150 estimates.
    truth = kernel_distance(rng.normal(size=(4000, 4)), rng.normal(size=(4000, 4)) + 0.5, resamples=0).value
    assert values.mean() == pytest.approx(truth, abs=3.5 * values.std() / np.sqrt(150))
    assert 0.8 < np.median(sds) / values.std() < 1.3


def test_kernel_distance_of_one_distribution_is_zero_on_average():
    rng = np.random.default_rng(2)
    found = [
        kernel_distance(rng.normal(size=(30, 4)), rng.normal(size=(50, 4)), resamples=60, seed=t) for t in range(200)
    ]
    values, sds = np.array(found).T
    assert values.mean() == pytest.approx(0, abs=3.5 * values.std() / np.sqrt(200))
    assert (values < 0).any()
    # The statistic is degenerate there: the sd errs to the safe side, by at most the root of 3.
    assert 0.9 < np.median(sds) / values.std() < 1.9
