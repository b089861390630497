"""The moving average against its closed form."""

import jax
import jax.numpy as jnp
import numpy as np

from fergen.optim.ema import ema_init, ema_update


def variables(value: float) -> tuple[dict, dict]:
    collections = {
        "batch_stats": {"mean": jnp.full(2, value), "count": jnp.array(int(value))},
        "noise": {"buffer": jnp.full(2, value)},
    }
    return {"kernel": jnp.full((2, 2), value)}, collections


def test_constant_input_after_start_follows_the_power_law():
    ema = ema_init(*variables(0.0))
    for step in range(5):
        ema = jax.jit(ema_update, static_argnames="ramp")(ema, *variables(1.0), 0.9, step, ramp=False)
    np.testing.assert_allclose(ema["params"]["kernel"], 1 - 0.9**5, rtol=1e-5)
    np.testing.assert_allclose(ema["batch_stats"]["mean"], 1 - 0.9**5, rtol=1e-5)


def test_other_collections_and_whole_numbers_are_copied():
    ema = ema_update(ema_init(*variables(0.0)), *variables(3.0), 0.9, 100)
    np.testing.assert_array_equal(ema["noise"]["buffer"], 3.0)
    assert int(ema["batch_stats"]["count"]) == 3


def test_ramp_limits_the_decay_early_and_not_late():
    start = ema_init(*variables(0.0))
    for step, keep in [(0, 0.1), (8, 0.5), (10_000, 0.99)]:
        ema = ema_update(start, *variables(1.0), 0.99, step)
        np.testing.assert_allclose(ema["params"]["kernel"], 1 - keep, rtol=1e-4)


def test_a_fixed_point_stays_bit_for_bit():
    params = {"w": jnp.asarray(np.random.default_rng(0).normal(size=100).astype(np.float32))}
    ema = ema_update(ema_init(params, {}), params, {}, 0.999, 5)
    np.testing.assert_array_equal(ema["params"]["w"], params["w"])


def test_the_start_shares_no_buffer_with_the_parameters():
    params, collections = variables(1.0)
    ema = ema_init(params, collections)
    step = jax.jit(lambda p, e: (p, e), donate_argnums=(0, 1))
    jax.block_until_ready(step({"params": params, **collections}, ema))
