"""Our side of a work, in a process of its own: `python -m tests.peers.ours WORK SECONDS` prints its rate as JSON."""

import json
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

from fergen.core import config as configs
from fergen.latent import search
from fergen.tasks import classifier, stylegan2_nets
from fergen.train.setup import prepare, run_key
from tests.peers.works import WORKS, Work

PRECISION = "float32" if jax.default_backend() == "cpu" else "bfloat16"


def training(work: Work):
    """Return the compiled train step of a config as a function without arguments."""
    fields = [*work.fields, f"batch_size={work.batch}", f"precision={PRECISION}"]
    run = prepare(configs.load(work.config, fields))
    holder, block = [run.init(run_key(run.config))], run.source.block(0, run.config.scan)
    each = run.config.scan

    def step():
        holder[0], metrics = run.take(0, holder[0], run.frozen, run.source.arrays, block)
        jax.block_until_ready(metrics)

    return step, each


def styles_of(work: Work):
    """Return a small StyleGAN2's networks, random variables, and styles."""
    model = configs.load(work.config, list(work.fields)).model.to_dict()
    spec = {
        "task": "stylegan2", "model": {**model, "dtype": PRECISION}, "classes": list("abcdefg"),
        "image": {"height": 48, "width": 48, "channels": 1}, "nets": ["generator"], "latent": [model["z_dim"]],
        "conditional": True, "prior": [1 / 7] * 7,
        "sampler": {"truncation": 1.0, "cutoff": 0, "centre": "class", "noise": "const"},
    }  # fmt: skip
    variables = stylegan2_nets.by_collection(jax.jit(lambda key: stylegan2_nets.initial(spec, key))(jax.random.key(0)))
    layout = stylegan2_nets.networks_of(spec).synthesis.layout
    ws = jax.random.normal(jax.random.key(1), (work.batch, layout.styles, model["w_dim"]))
    return stylegan2_nets.predict_of(spec), variables, ws, layout


def synthesis(work: Work):
    """Return synthesis of a batch."""
    predict, variables, ws, _ = styles_of(work)
    made = jax.jit(predict["synthesise"])
    return lambda: jax.block_until_ready(made(variables, ws)), 1


def latent_search(work: Work):
    """Return a step of guided search: through synthesis and the four-block CNN, with Adam."""
    predict, variables, ws, _ = styles_of(work)
    spec = {
        "task": "classifier", "model": {"name": "cnn", "width": 1.0, "dtype": PRECISION}, "classes": list("abcdefg"),
        "image": {"height": 48, "width": 48, "channels": 1}, "mean": [0.0], "std": [1.0],
    }  # fmt: skip
    guide, shapes = classifier.predict_of(spec)["logits"], classifier.shapes_of(spec)
    rng = np.random.default_rng(0)
    # Kernels about as large as trained ones, and variances and scales about 1.
    weights = jax.tree.map(
        lambda x: jnp.asarray(0.02 * rng.normal(size=x.shape) if len(x.shape) > 1 else np.ones(x.shape), jnp.float32),
        shapes,
    )
    way = search.descent(
        lambda ws: predict["synthesise"](variables, ws),
        [lambda images: guide(weights, images)],
        start=ws,
        targets=[jnp.arange(work.batch) % 7],
        white=search.Whitening(jnp.zeros(ws.shape[-1]), jnp.eye(ws.shape[-1])),
        views=lambda key, images: images,
        keys=jax.random.split(jax.random.key(0), work.batch),
        settings=search.Settings(views=1, identity=0.0),
    )
    update, holder = jax.jit(way.update), [way.begin]

    def step():
        holder[0] = jax.block_until_ready(update(holder[0]))

    return step, 1


BUILT = {"stylegan2_synthesis": synthesis, "latent_search": latent_search}


def main() -> None:
    """Measure."""
    name, seconds = sys.argv[1], float(sys.argv[2])
    work = WORKS[name]
    step, each = BUILT.get(name, training)(work)
    began = time.perf_counter()
    step()
    compiled = time.perf_counter() - began
    calls, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        step()
        calls += 1
    rate = calls * each * work.batch / (time.perf_counter() - began)
    about = f"jax {jax.__version__}, {PRECISION}, {jax.devices()[0].device_kind}"
    print(json.dumps({"rate": rate, "first": compiled, "how": about}))


if __name__ == "__main__":
    main()
