"""Operations are counted as by hand, loops in full."""

from functools import partial

import jax
import jax.numpy as jnp
import pytest

from fergen.nn.conv import conv2d
from fergen.train.flops import flops


def test_products_convolutions_loops_and_branches():
    a, b = jnp.zeros((3, 4)), jnp.zeros((4, 5))
    product = 2 * 3 * 4 * 5
    assert flops(lambda a, b: a @ b, a, b) == product
    assert flops(jax.jit(lambda a, b: jnp.tanh(a @ b)), a, b) == product
    assert flops(lambda a: jax.lax.scan(lambda c, _: (c @ jnp.zeros((4, 4)), None), a, None, length=7)[0], a) == (
        7 * 2 * 3 * 4 * 4
    )
    assert flops(lambda a, b: jax.lax.cond(a.sum() > 0, lambda: a @ b, lambda: jnp.zeros((3, 5))), a, b) == product
    image, kernel = jnp.zeros((2, 8, 8, 3)), jnp.zeros((3, 3, 3, 5))
    forward = 2 * 2 * 8 * 8 * 5 * 9 * 3
    assert flops(conv2d, image, kernel) == forward
    grouped = jnp.zeros((3, 3, 1, 3))
    layout = ("NHWC", "HWIO", "NHWC")
    depthwise = partial(jax.lax.conv_general_dilated, window_strides=(1, 1), padding="SAME", dimension_numbers=layout)
    assert flops(lambda x, k: depthwise(x, k, feature_group_count=3), image, grouped) == 2 * 2 * 8 * 8 * 3 * 9


def test_a_training_step_costs_three_forward_passes_or_less():
    image, kernel = jnp.zeros((4, 8, 8, 16)), jnp.zeros((3, 3, 16, 16))
    forward = flops(conv2d, image, kernel)
    both = flops(jax.grad(lambda x, k: conv2d(x, k).sum(), argnums=(0, 1)), image, kernel)
    # The output and the input's gradient cost a pass each; the kernel's, by Winograd's form, 16 / 36 of one.
    assert both == pytest.approx(forward * (2 + 16 / 36), rel=0.01)
