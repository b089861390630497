"""Optimisers from configs against the update rules of their papers, written out in numpy."""

import jax
import ml_collections
import numpy as np
import optax
import pytest

from fergen.core.errors import BadInput
from fergen.optim.build import build, learning_rate

STEPS = 12


def parameters() -> dict:
    rng = np.random.default_rng(0)
    shapes = {"stem": {"kernel": (3, 2), "bias": (2,)}, "bn": {"scale": (2,)}, "head": {"kernel": (2, 4), "bias": (4,)}}
    return jax.tree.map(lambda s: rng.normal(size=s).astype(np.float32), shapes, is_leaf=lambda s: isinstance(s, tuple))


def gradients(n: int, seed: int = 1) -> list:
    rng = np.random.default_rng(seed)
    return [jax.tree.map(lambda p: rng.normal(size=p.shape).astype(np.float32), parameters()) for _ in range(n)]


def run(config: dict, grads: list, steps: int = STEPS) -> tuple[dict, optax.OptState]:
    optimiser = build(ml_collections.ConfigDict(config), steps)
    params = parameters()
    state = optimiser.init(params)

    @jax.jit
    def step(params, state, grad):
        updates, state = optimiser.update(grad, state, params)
        return optax.apply_updates(params, updates), state

    for grad in grads:
        params, state = step(params, state, grad)
    return params, state


def sgd(p, grads, lr, momentum=0.9, nesterov=True, decay=0.0):
    buffer = np.zeros_like(p)
    for g in grads:
        g = g + decay * p
        buffer = momentum * buffer + g
        p = p - lr * (g + momentum * buffer if nesterov else buffer)
    return p


def adam(p, grads, lr, b1=0.9, b2=0.999, eps=1e-8, coupled=0.0, decoupled=0.0):
    m, v = np.zeros_like(p), np.zeros_like(p)
    for t, g in enumerate(grads, 1):
        g = g + coupled * p
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        p = p - lr * (m / (1 - b1**t) / (np.sqrt(v / (1 - b2**t)) + eps) + decoupled * p)
    return p


# name of the case: config, rule, keyword of the rule that the weight decay goes into
RULES = {
    "sgd": ({"name": "sgd", "lr": 0.1}, sgd, "decay"),
    "sgd plain": ({"name": "sgd", "lr": 0.1, "momentum": 0.5, "nesterov": False}, sgd, "decay"),
    "adam": ({"name": "adam", "lr": 0.01}, adam, "coupled"),
    "adamw": ({"name": "adamw", "lr": 0.01, "b1": 0.8, "b2": 0.95, "eps": 1e-3}, adam, "decoupled"),
}


@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("case", RULES)
def test_follows_its_rule_and_decays_kernels_only(case, decay):
    config, rule, keyword = RULES[case]
    grads = gradients(5)
    found, _ = run(config | {"weight_decay": decay}, grads)
    options = {k: v for k, v in config.items() if k != "name"}
    for (path, p), *gs, got in zip(
        jax.tree_util.tree_leaves_with_path(parameters()), *map(jax.tree.leaves, grads), jax.tree.leaves(found)
    ):
        is_kernel = path[-1].key == "kernel"
        want = rule(p.astype(np.float64), gs, **options, **({keyword: decay} if is_kernel else {}))
        np.testing.assert_allclose(got, want, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "muon"])
def test_accumulated_gradients_equal_one_large_batch(name):
    # Four gradients that average to the large batch's; the schedule must count updates, not steps.
    small = gradients(8)
    large = [jax.tree.map(lambda *g: np.mean(g, 0), *small[i : i + 4]) for i in (0, 4)]
    config = {"name": name, "lr": 0.1, "weight_decay": 0.1, "clip_norm": 1.0, "schedule": {"name": "cosine"}}
    accumulated, _ = run(config | {"accumulate": 4}, small, steps=8)
    at_once, _ = run(config, large, steps=2)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), accumulated, at_once)
    untouched, _ = run(config | {"accumulate": 4}, small[:3], steps=8)
    jax.tree.map(np.testing.assert_array_equal, untouched, parameters())


def test_frozen_parameters_stay_and_have_no_state():
    config = {"name": "adam", "lr": 0.1, "weight_decay": 0.1, "accumulate": 2, "freeze": ("stem/*", "*/scale")}
    params, state = run(config, gradients(4))
    before = parameters()
    jax.tree.map(np.testing.assert_array_equal, params["stem"], before["stem"])
    np.testing.assert_array_equal(params["bn"]["scale"], before["bn"]["scale"])
    assert np.abs(params["head"]["bias"] - before["head"]["bias"]).min() > 0
    # Two moments and an accumulator for the head's 8 + 4 scalars; the rest are counters.
    assert sum(leaf.size for leaf in jax.tree.leaves(state) if leaf.ndim) == 3 * 12


def test_clipping_counts_the_trained_parameters_only():
    config = {"name": "sgd", "lr": 1.0, "momentum": 0.0, "nesterov": False, "clip_norm": 0.5, "freeze": ["stem/*"]}
    (grad,) = gradients(1)
    params, _ = run(config, [grad])
    move = jax.tree.map(lambda a, b: np.asarray(a) - b, parameters(), params)
    trained = np.concatenate([leaf.ravel() for leaf in jax.tree.leaves({k: grad[k] for k in ("bn", "head")})])
    np.testing.assert_allclose(move["head"]["bias"], grad["head"]["bias"] * 0.5 / np.linalg.norm(trained), rtol=1e-5)
    small = jax.tree.map(lambda g: 1e-3 * g, grad)
    np.testing.assert_allclose(
        run(config, [small])[0]["bn"]["scale"], parameters()["bn"]["scale"] - small["bn"]["scale"], rtol=1e-6
    )


def test_longest_matching_multiplier_scales_the_rate_with_its_decay():
    config = {"name": "adamw", "lr": 0.01, "weight_decay": 0.2}
    grads = gradients(1)
    plain, _ = run(config, grads)
    scaled, _ = run(config | {"lr_multipliers": {"head/*": 10.0, "*": 0.5}}, grads)
    start = parameters()
    for room, factor in {"head": 10.0, "stem": 0.5, "bn": 0.5}.items():
        for leaf in start[room]:
            want = factor * (np.asarray(plain[room][leaf]) - start[room][leaf])
            np.testing.assert_allclose(scaled[room][leaf] - start[room][leaf], want, rtol=1e-3, atol=1e-6)


def test_schedule_moves_the_update():
    config = {"name": "sgd", "lr": 2.0, "momentum": 0.0, "schedule": {"name": "step", "at": (2,), "factor": 0.25}}
    ones = jax.tree.map(np.ones_like, parameters())
    params, _ = run(config, [ones] * 4, steps=4)
    want = parameters()["bn"]["scale"] - (2 + 2 + 0.5 + 0.5)
    np.testing.assert_allclose(params["bn"]["scale"], want, rtol=1e-6)
    rates = [float(learning_rate(config | {"accumulate": 2}, 8)(step)) for step in range(8)]
    assert rates == [2, 2, 2, 2, 0.5, 0.5, 0.5, 0.5]


BAD = {
    "optim.name: expected one of sgd, adam, adamw, muon, found 'lion'": {"name": "lion"},
    "optim.name: expected one of sgd, adam, adamw, muon, found None": {"name": None},
    "optim.lr: expected the peak learning rate": {"lr": None},
    "optim.lr: expected a number of at least 0, found '0.1'": {"lr": "0.1"},
    "optim.lr: expected a number of at least 0, found nan": {"lr": float("nan")},
    "optim.moment: unknown field of sgd; its fields are lr, weight_decay": {"moment": 0.9},
    "optim.b1: unknown field": {"b1": 0.9},
    "optim.momentum: expected a number from 0 to 1, found 9": {"momentum": 9},
    "optim.nesterov: expected True or False, found 'no'": {"nesterov": "no"},
    "optim.weight_decay: expected a number": {"weight_decay": -1.0},
    "optim.clip_norm: expected a number": {"clip_norm": True},
    "optim.accumulate: expected a whole number of at least 1, found 0": {"accumulate": 0},
    "optim.accumulate: expected at most the 12 steps": {"accumulate": 13},
    "optim.freeze: expected a list of patterns": {"freeze": "stem/*"},
    "optim.freeze: 'steem/*' matches none of the 5 parameters": {"freeze": ["steem/*"]},
    "optim.lr_multipliers: 'hed/*' matches none": {"lr_multipliers": {"hed/*": 2.0}},
    "optim.lr_multipliers: expected factors": {"lr_multipliers": 2.0},
    "optim.lr_multipliers.head/*: expected a number": {"lr_multipliers": {"head/*": -1.0}},
    "optim.schedule.name: expected one of constant, cosine, step, onecycle": {"schedule": {"name": "poly"}},
    "optim.schedule: expected fields, found 'cosine'": {"schedule": "cosine"},
    "optim.schedule.end: unknown field": {"schedule": {"name": "cosine", "end": 0.0}},
    "optim.schedule.warmup: expected a fraction below 1": {"schedule": {"name": "cosine", "warmup": 99}},
    "optim.schedule.at: expected a list": {"schedule": {"name": "step", "at": 0.5}},
}


@pytest.mark.parametrize("message", BAD)
def test_bad_fields_are_named(message):
    with pytest.raises(BadInput) as error:
        build({"name": "sgd", "lr": 0.1} | BAD[message], STEPS).init(parameters())
    assert str(error.value).startswith(message)
