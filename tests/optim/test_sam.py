"""The sharpness-aware gradient on losses whose gradient is known."""

import jax
import jax.numpy as jnp
import numpy as np

from fergen.optim.sam import sam_gradient


def test_quadratic():
    # L = w'Aw/2 has the gradient Aw, so that SAM's is A (w + rho Aw / |Aw|).
    rng = np.random.default_rng(0)
    half = rng.normal(size=(5, 5))
    a, w, rho = half @ half.T, rng.normal(size=5), 0.3
    params = {"x": jnp.asarray(w[:2], jnp.float32), "y": jnp.asarray(w[2:], jnp.float32)}

    def loss(p, scale):
        v = jnp.concatenate([p["x"], p["y"]])
        return scale * 0.5 * v @ jnp.asarray(a, jnp.float32) @ v, {"seen": v}

    (value, aux), grad = jax.jit(sam_gradient(loss, rho))(params, 2.0)
    g = 2 * a @ w
    want = 2 * a @ (w + rho * g / np.linalg.norm(g))
    np.testing.assert_allclose(np.concatenate([grad["x"], grad["y"]]), want, rtol=1e-4)
    np.testing.assert_allclose(value, w @ a @ w, rtol=1e-5)
    # The auxiliary output is that of the undisplaced weights.
    np.testing.assert_allclose(aux["seen"], w, rtol=1e-6)


def test_radius_zero_and_stationary_points_give_the_plain_gradient():
    def loss(p):
        return (p**2).sum(), None

    _, grad = sam_gradient(loss, 0.0)(jnp.array([1.0, 2.0]))
    np.testing.assert_array_equal(grad, [2.0, 4.0])
    _, grad = sam_gradient(loss, 0.1)(jnp.zeros(3))
    np.testing.assert_array_equal(grad, np.zeros(3))
