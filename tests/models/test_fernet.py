"""FerNet: its size, its maps, its gradients, and that it learns."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from fergen.core.errors import BadInput
from fergen.models import fernet

SMALL = dict(num_classes=3, widths=(8, 16, 16), depths=(1, 1, 1))


def test_the_shipped_size_fits_two_megabytes_of_bfloat16():
    shapes = jax.eval_shape(fernet.build(num_classes=7).init, jax.random.key(0), jnp.zeros((1, 48, 48, 1)))
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) * 2 <= 2e6


def test_logits_and_maps_have_their_shapes_at_other_sizes_and_precisions():
    net = fernet.build(dtype=jnp.bfloat16, **SMALL)
    for size, channels in ((32, 1), (64, 3)):
        x = jnp.zeros((2, size, size, channels))
        variables = jax.jit(net.init)(jax.random.key(0), x)
        logits, sown = jax.jit(lambda v, x: net.apply(v, x, mutable=["intermediates"]))(variables, x)
        (feature_map,), (features,) = (sown["intermediates"][k] for k in ("feature_map", "features"))
        assert logits.shape == (2, 3)
        assert logits.dtype == jnp.float32
        assert feature_map.shape == (2, size // 8, size // 8, 16)
        assert features.shape == (2, 16)


def test_pool_is_the_maximum_of_each_two_by_two_block():
    x = np.random.default_rng(0).normal(size=(2, 6, 8, 3)).astype(np.float32)
    np.testing.assert_array_equal(fernet.pool(jnp.asarray(x)), x.reshape(2, 3, 2, 4, 2, 3).max((2, 4)))


def test_residual_branches_start_as_nothing():
    net = fernet.build(**SMALL)
    x = jax.random.normal(jax.random.key(1), (4, 16, 16, 1))
    variables = jax.jit(net.init)(jax.random.key(0), x)
    wrecked = jax.tree_util.tree_map_with_path(
        lambda path, leaf: leaf * 7 if "block" in jax.tree_util.keystr(path) and leaf.ndim == 4 else leaf, variables
    )
    apply = jax.jit(net.apply)
    np.testing.assert_allclose(apply(wrecked, x), apply(variables, x), rtol=1e-5, atol=1e-6)


def test_learns_three_kinds_of_bars():
    """Bright, dark and absent bars at random places: a few steps reach nearly every training image."""
    net = fernet.build(dropout=0.1, **SMALL)
    rng = np.random.default_rng(0)
    label = np.arange(48) % 3
    x = rng.normal(size=(48, 24, 24, 1)).astype(np.float32)
    x[np.arange(48), :, rng.integers(24, size=48), 0] += 4 * (label - 1)[:, None]
    x, label = jnp.asarray(x), jnp.asarray(label)
    variables = jax.jit(net.init)(jax.random.key(0), x)
    optimiser = optax.adam(3e-3)

    @jax.jit
    def step(params, stats, state, key):
        def loss(params):
            logits, changed = net.apply(
                {"params": params, "batch_stats": stats}, x, train=True, mutable=["batch_stats"], rngs={"dropout": key}
            )
            return optax.softmax_cross_entropy_with_integer_labels(logits, label).mean(), changed["batch_stats"]

        (value, stats), gradient = jax.value_and_grad(loss, has_aux=True)(params)
        updates, state = optimiser.update(gradient, state, params)
        return optax.apply_updates(params, updates), stats, state, value

    params, stats = variables["params"], variables["batch_stats"]
    state = optimiser.init(params)
    values = []
    for i in range(40):
        params, stats, state, value = step(params, stats, state, jax.random.key(i))
        values.append(float(value))
    assert values[-1] < 0.2 < values[0]
    logits = jax.jit(net.apply)({"params": params, "batch_stats": stats}, x)
    assert (logits.argmax(-1) == label).mean() > 0.9


def test_widths_and_depths_of_different_number_are_refused():
    with pytest.raises(BadInput, match="as many widths as depths"):
        fernet.build(num_classes=7, widths=(8, 16), depths=(1,))
