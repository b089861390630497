"""Spectral normalisation against singular values from numpy."""

import jax
import jax.numpy as jnp
import numpy as np

from fergen.core.tree import leaf_names
from fergen.nn import spectral_norm


def parameters():
    rng = np.random.default_rng(0)
    return {
        "conv": {"kernel": rng.normal(size=(3, 3, 4, 6)), "bias": rng.normal(size=6)},
        "dense": {"kernel": rng.normal(size=(10, 3)), "bias": rng.normal(size=3)},
        "label": {"embedding": rng.normal(size=(7, 5))},
        "norm": {"scale": rng.normal(size=6)},
    }


def largest(kernel):
    return np.linalg.svd(np.reshape(kernel, (-1, np.shape(kernel)[-1])), compute_uv=False)[0]


def test_kernels_and_embeddings_get_the_norm_one_and_nothing_else_changes():
    params = jax.tree.map(jnp.asarray, parameters())
    vectors = spectral_norm.start(jax.random.key(0), params)
    assert set(leaf_names(vectors)) == {"conv/kernel", "dense/kernel", "label/embedding"}
    normalised, _ = jax.jit(lambda p, v: spectral_norm.normalise(p, v, iterations=200))(params, vectors)
    before, after = leaf_names(params), leaf_names(normalised)
    assert before.keys() == after.keys()
    for name in before:
        scale = largest(before[name]) if name in leaf_names(vectors) else 1.0
        np.testing.assert_allclose(after[name], before[name] / scale, rtol=1e-4, atol=1e-6, err_msg=name)


def test_one_iteration_per_step_converges_through_its_state():
    params = jax.tree.map(jnp.asarray, parameters())
    vectors = spectral_norm.start(jax.random.key(1), params)
    step = jax.jit(spectral_norm.normalise)
    errors = []
    for _ in range(60):
        normalised, vectors = step(params, vectors)
        errors.append(abs(largest(normalised["conv"]["kernel"]) - 1))
    assert errors[0] > 1e-2
    assert errors[-1] < 1e-4
    for u in jax.tree.leaves(vectors):
        np.testing.assert_allclose(jnp.linalg.norm(u), 1, rtol=1e-5)


def test_without_iterations_the_vectors_stay():
    params = jax.tree.map(jnp.asarray, parameters())
    vectors = spectral_norm.start(jax.random.key(0), params)
    normalised, same = spectral_norm.normalise(params, vectors, iterations=0)
    assert all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(vectors), jax.tree.leaves(same), strict=True))
    # What is known of the singular value is |W u|.
    matrix, u = np.asarray(params["dense"]["kernel"]), np.asarray(vectors["dense"]["kernel"])
    np.testing.assert_allclose(normalised["dense"]["kernel"], matrix / np.linalg.norm(matrix @ u), rtol=1e-5)


def test_gradient_counts_the_vectors_as_constants():
    """d/dW of sum(C * W / sigma) with sigma = v'W u is C / sigma - <C, W> v u' / sigma^2."""
    rng = np.random.default_rng(1)
    matrix, c = rng.normal(size=(8, 5)), rng.normal(size=(8, 5))
    u, s, v = np.linalg.svd(matrix)
    vectors = {"kernel": jnp.asarray(v[0], jnp.float32)}

    def total(kernel):
        return jnp.sum(jnp.asarray(c, jnp.float32) * spectral_norm.normalise({"kernel": kernel}, vectors)[0]["kernel"])

    expected = c / s[0] - (c * matrix).sum() * np.outer(u[:, 0], v[0]) / s[0] ** 2
    np.testing.assert_allclose(jax.grad(total)(jnp.asarray(matrix, jnp.float32)), expected, rtol=1e-3, atol=1e-4)


def test_a_kernel_of_zeros_stays_zero():
    params = {"kernel": jnp.zeros((4, 3))}
    normalised, vectors = spectral_norm.normalise(params, spectral_norm.start(jax.random.key(0), params))
    assert not np.asarray(normalised["kernel"]).any()
    assert np.isfinite(vectors["kernel"]).all()
