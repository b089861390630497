"""Speed of an experiment: the compiled step, the input path, and both together."""

import resource
import time
from collections import Counter
from typing import Any

import jax
import numpy as np

from fergen.augment import ada
from fergen.evals import sampling
from fergen.train.flops import flops
from fergen.train.parts import kinds_of
from fergen.train.setup import prepare, run_key


def bench(config, *, seconds: float = 10.0) -> dict[str, Any]:
    """Measure a config's training speed on the devices at hand.

    Args:
        config: a ConfigDict.
        seconds: about how long each of the three measurements runs.

    Returns:
        compile_seconds of the last quarter's programs; step_images_per_second (one block, again and again; where steps
        are of several kinds, their mean by share), seconds_per_kimg (of each kind, named by its parts),
        input_images_per_second (blocks alone, gathered on the device), train_images_per_second (both, as training does
        it), outside_step (the share of time that training spends outside the compiled call), flops_per_image and
        flops_per_second (convolutions and matrix products as computed), predict_images_per_second (of a classifier),
        samples_per_second (of a generator), augment_images_per_second (of ADA alone), peak_memory_bytes, parameters,
        batch_size, device.
    """
    this = prepare(config)
    k, images = config.scan, config.scan * config.batch_size
    state = this.init(run_key(config))
    parameters = sum(leaf.size for net in state.nets.values() for leaf in jax.tree.leaves(net.params))
    block = this.source.block(0, k)

    item = jax.tree.map(lambda x: x[0], block)
    # The last quarter stands for the run: a start or a first stage of another kind is over.
    kinds = kinds_of(this.due, range(3 * this.steps // (4 * k) * k, this.steps, k), k)
    holder, state_shapes = [state], jax.eval_shape(lambda: state)

    def step(block, number: int) -> None:
        holder[0], metrics = this.take(number, holder[0], this.frozen, this.source.arrays, block)
        jax.block_until_ready(metrics)

    position = [0]

    def read():
        # The sets that fit are gathered inside the step, so the gather is timed as the input that it is.
        position[0] += k
        return this.source.block(position[0], k)

    gather = jax.jit(lambda arrays, block: jax.lax.map(lambda item: this.source.read(arrays, item), block))
    began = time.perf_counter()
    for first, _ in kinds.values():
        step(block, first)
    compiled = time.perf_counter() - began
    rates = {
        kind: rate(lambda first=first: step(block, first), images, seconds, warm=False)[0]
        for kind, (first, _) in kinds.items()
    }
    compile_seconds = compiled - sum(images / found for found in rates.values())
    step_rate = 1 / sum(share / rates[kind] for kind, (_, share) in kinds.items())
    input_rate, _ = rate(lambda: jax.block_until_ready(gather(this.source.arrays, read())), images, seconds)
    inside, begin = [0.0], (this.steps - 1) // k * k - 15 * k

    def both() -> None:
        fresh = read()
        called = time.perf_counter()
        step(fresh, max(begin + position[0] % (16 * k), 0))
        inside[0] += time.perf_counter() - called

    both()
    inside[0] = 0.0
    train_rate, spent = rate(both, images, seconds, warm=False)
    shapes = (state_shapes, this.frozen, this.source.arrays, item)
    work = {name: flops(this.parts[name], *shapes) for name in sorted(set().union(*kinds))}
    per_image = sum(share * sum(work[name] for name in kind) for kind, (_, share) in kinds.items()) / images
    return {
        "device": f"{this.mesh.size} x {jax.devices()[0].device_kind}",
        "parameters": parameters,
        "batch_size": config.batch_size,
        "compile_seconds": compile_seconds,
        "step_images_per_second": step_rate,
        "seconds_per_kimg": {
            " + ".join(f"{n} {name}" if n > 1 else name for name, n in Counter(kind).items()): 1000 / found
            for kind, found in rates.items()
        },
        "input_images_per_second": input_rate,
        "train_images_per_second": train_rate,
        "outside_step": 1 - inside[0] / spent,
        "flops_per_image": per_image,
        "flops_per_second": per_image * step_rate,
        "predict_images_per_second": predict_rate(this, holder[0], seconds),
        "samples_per_second": sample_rate(this, holder[0], seconds),
        "augment_images_per_second": augment_rate(this, seconds),
        "peak_memory_bytes": peak_memory(),
    }


def rate(call, images: int, seconds: float, *, warm: bool = True) -> tuple[float, float]:
    """Return (images/s, seconds spent) of a call repeated for about `seconds`."""
    if warm:
        call()
    calls, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        call()
        calls += 1
    spent = time.perf_counter() - began
    return calls * images / spent, spent


def predict_rate(this, state, seconds: float) -> float:
    """Return images/s of the first predict function that reads images alone, in batches of 256; 0 if there is none."""
    logits = this.task.predict.get("logits")
    if logits is None or this.validation is None:
        return 0.0
    weights = this.task.weights(state)
    images = this.validation.images[:256]
    call = jax.jit(logits)
    return rate(lambda: jax.block_until_ready(call(weights, images)), len(images), seconds)[0]


def sample_rate(this, state, seconds: float) -> float:
    """Return samples/s of a generator, from row numbers to uint8 images on the host; 0 for other tasks."""
    if "sample" not in this.task.predict:
        return 0.0
    weights, predict, spec = this.task.weights(state), this.task.predict, this.task.spec
    rows = np.arange(sampling.BATCH)
    labels = rows % len(spec["classes"])
    return rate(lambda: sampling.of_rows(predict, spec, weights, rows, labels), len(rows), seconds)[0]


def augment_rate(this, seconds: float) -> float:
    """Return images/s of the adaptive augmentation alone, at its full strength, by batches; 0 for tasks without."""
    settings, size = getattr(this.task, "ada", None), this.task.spec["image"]
    if settings is None:
        return 0.0
    n = this.config.batch_size
    images = jax.random.uniform(jax.random.key(0), (n, size["height"], size["width"], size["channels"]), minval=-1)
    call = jax.jit(lambda key, images: ada.augment(key, images, 1.0, settings)[0])
    key = run_key(this.config)
    return rate(lambda: jax.block_until_ready(call(key, images)), n, seconds)[0]


def peak_memory() -> int:
    """Return the peak of device memory where the device counts it, else of the process's resident memory, in bytes."""
    stats = jax.devices()[0].memory_stats() or {}
    return int(stats.get("peak_bytes_in_use") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
