"""Optimisers and schedules against PyTorch's, on the same gradients."""

import jax
import numpy as np
import optax
import pytest

from fergen.optim.build import build, learning_rate

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity

STEPS = 20
CASES = {
    "sgd": ({"name": "sgd", "lr": 0.1}, lambda p, d: torch.optim.SGD(p, 0.1, 0.9, weight_decay=d, nesterov=True)),
    "adam": ({"name": "adam", "lr": 0.01}, lambda p, d: torch.optim.Adam(p, 0.01, weight_decay=d)),
    "adamw": ({"name": "adamw", "lr": 0.01}, lambda p, d: torch.optim.AdamW(p, 0.01, weight_decay=d)),
}
SCHEDULES = {
    "cosine": ({"name": "cosine"}, lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, STEPS)),
    "step": (
        {"name": "step", "at": (5, 12), "factor": 0.1},
        lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [5, 12], 0.1),
    ),
    "onecycle": (
        {"name": "onecycle"},
        lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 0.1, total_steps=STEPS, cycle_momentum=False),
    ),
}


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("clip", [0.0, 2.0])
@pytest.mark.parametrize("case", CASES)
def test_optimiser(case, decay, clip):
    config, make = CASES[case]
    rng = np.random.default_rng(0)
    params = {name: rng.normal(size=(4, 3)).astype(np.float32) for name in ("a", "b")}
    twins = [torch.nn.Parameter(torch.tensor(p)) for p in params.values()]
    theirs = make(twins, decay)
    ours = build(config | {"weight_decay": decay, "clip_norm": clip}, STEPS)
    state = ours.init(params)
    for _ in range(STEPS):
        grads = jax.tree.map(lambda p: rng.normal(size=p.shape).astype(np.float32), params)
        updates, state = ours.update(grads, state, params)
        params = optax.apply_updates(params, updates)
        for twin, grad in zip(twins, grads.values()):
            twin.grad = torch.tensor(grad)
        if clip:
            torch.nn.utils.clip_grad_norm_(twins, clip)
        theirs.step()
    for found, twin in zip(params.values(), twins):
        np.testing.assert_allclose(found, twin.detach().numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("case", SCHEDULES)
def test_schedule(case):
    config, make = SCHEDULES[case]
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 0.1)
    scheduler = make(optimiser)
    theirs = []
    for _ in range(STEPS):
        theirs.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    ours = learning_rate({"name": "sgd", "lr": 0.1, "schedule": config}, STEPS)
    np.testing.assert_allclose([ours(t) for t in range(STEPS)], theirs[:STEPS], rtol=1e-4, atol=1e-6)
