"""How near a step's convolutions come to a plain matrix product, in operations per second of CPU time.

  python -m tests.peers.limits             # the 3x3 convolutions of ResNet-18 on 48x48 images, about a minute

CPU time, not wall time: what a core does, whatever else runs beside it. A convolution of n x h x w x i images with o
filters of 3x3 counts 2 * 9 * n * h * w * i * o operations in each of its three maps.
"""

import os
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from fergen.core import environment
from fergen.nn import conv

BATCH, SIDE, TIMES = 32, 1024, 6
# Height and width, input and output channels.
SHAPES = ((48, 64, 64), (24, 128, 128), (12, 256, 256), (6, 512, 512))
AROUND = ((1, 1), (1, 1))


def rate(f: Callable, operations: float, *arguments: jax.Array) -> float:
    """Return the most operations per second of CPU time, in 1e9, of several calls of a compiled function."""
    f = jax.jit(f)
    jax.block_until_ready(f(*arguments))
    best = np.inf
    for _ in range(TIMES):
        began = time.process_time()
        jax.block_until_ready(f(*arguments))
        best = min(best, time.process_time() - began)
    return operations / best / 1e9


def of_product(side: int = SIDE) -> float:
    """Return the rate of a product of two square matrices."""
    a = drawn(side, side)
    return rate(lambda a: a @ a, 2 * side**3, a)


def of_convolution(size: int, channels: int, filters: int, batch: int = BATCH) -> dict[str, float]:
    """Return the rates of a 3x3 convolution and of its two gradients."""
    x, g = drawn(batch, size, size, channels), drawn(batch, size, size, filters)
    kernel, operations = drawn(3, 3, channels, filters), 2 * 9 * batch * size**2 * channels * filters
    return {
        "forward": rate(lambda x, k: conv.convolve(x, k, (1, 1), AROUND), operations, x, kernel),
        "input gradient": rate(
            lambda k, g: conv.input_gradient(k, g, (1, 1), AROUND, (size, size)), operations, kernel, g
        ),
        "kernel gradient": rate(lambda x, g: conv.kernel_gradient(x, g, (1, 1), AROUND, (3, 3)), operations, x, g),
    }


def drawn(*shape: int) -> jax.Array:
    """Return standard normal numbers."""
    return jnp.asarray(np.random.default_rng(0).normal(size=shape), jnp.float32)


def main() -> None:
    """Measure and print a table."""
    os.environ.update(environment.added(environment.platform_of()))  # as every command of ours
    product = of_product()
    print(f"product of {SIDE} x {SIDE} matrices: {product:.0f} GFLOP per second of CPU time; jax {jax.__version__}\n")
    print(f"| 3x3, batch {BATCH} | forward | input gradient | kernel gradient |\n|---|---|---|---|")
    for shape in SHAPES:
        found = of_convolution(*shape)
        cells = " | ".join(f"{value:.0f} ({value / product:.2f})" for value in found.values())
        print(f"| {shape[0]}x{shape[0]}, {shape[1]} -> {shape[2]} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
