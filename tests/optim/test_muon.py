"""Muon: kernels move along the nearest semi-orthogonal matrix, the rest as under Adam."""

import jax
import numpy as np
import optax
import pytest

from fergen.optim import muon
from fergen.optim.build import build

LR, STEPS = 0.01, 3
SHAPES = {
    "conv": {"kernel": (3, 3, 4, 8), "bias": (8,)},
    "dense": {"kernel": (6, 40)},
    "depthwise": {"kernel": (3, 3, 1, 8)},
    "logit": {"kernel": (8, 1)},
    "label": {"embedding": (7, 5)},
}
ORTHOGONAL = ("conv/kernel", "dense/kernel")


def draw(seed):
    rng = np.random.default_rng(seed)
    shapes = {"/".join(k.key for k in path): s for path, s in leaves(SHAPES)}
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def leaves(tree):
    return jax.tree_util.tree_leaves_with_path(tree, is_leaf=lambda x: isinstance(x, tuple))


def nested(flat):
    out = {}
    for name, leaf in flat.items():
        room, kind = name.split("/")
        out.setdefault(room, {})[kind] = leaf
    return out


def moved(config, gradients):
    """Return by how much each leaf is moved by the last of the gradients."""
    optimiser, params = build(config, STEPS), nested(draw(99))
    state = optimiser.init(params)
    for gradient in gradients:
        updates, state = optimiser.update(nested(gradient), state, params)
        params = optax.apply_updates(params, updates)
    return {"/".join(k.key for k in path): np.asarray(leaf) for path, leaf in leaves(updates)}


def test_kernels_move_along_the_polar_factor_of_their_momentum():
    gradients = [draw(seed) for seed in range(STEPS)]
    found = moved({"name": "muon", "lr": LR, "momentum": 0.5, "nesterov": False}, gradients)
    for name in ORTHOGONAL:
        flat = [g[name].reshape(-1, g[name].shape[-1]) for g in gradients]
        momentum = 0.125 * flat[0] + 0.25 * flat[1] + 0.5 * flat[2]
        u, _, v = np.linalg.svd(momentum, full_matrices=False)
        # In the basis of the momentum's singular vectors the update is diagonal, with entries near one: the iteration
        # is made to be quick and leaves them between .68 and 1.13.
        seen = u.T @ -found[name].reshape(flat[0].shape) @ v.T / (LR * muon.RMS * np.sqrt(max(flat[0].shape)))
        np.testing.assert_allclose(seen, np.diag(np.diag(seen)), atol=2e-3)
        assert 0.6 < np.diag(seen).min() <= np.diag(seen).max() < 1.2


def test_the_size_of_a_step_is_adams():
    gradients = [draw(seed) for seed in range(STEPS)]
    found = moved({"name": "muon", "lr": LR}, gradients)
    for name in ORTHOGONAL:
        assert np.sqrt(np.mean(found[name] ** 2)) == pytest.approx(LR * muon.RMS, rel=0.3)


def test_everything_else_is_left_to_adam():
    gradients = [draw(seed) for seed in range(STEPS)]
    found = moved({"name": "muon", "lr": LR, "b1": 0.8, "b2": 0.95}, gradients)
    adam = moved({"name": "adam", "lr": LR, "b1": 0.8, "b2": 0.95}, gradients)
    for name, update in found.items():
        if name not in ORTHOGONAL:
            np.testing.assert_allclose(update, adam[name], rtol=1e-6)


@pytest.mark.parity
def test_agrees_with_pytorch():
    torch = pytest.importorskip("torch")
    gradients = [draw(seed)["dense/kernel"] for seed in range(STEPS)]
    twin = torch.nn.Parameter(torch.zeros(gradients[0].shape))
    options = {"weight_decay": 0.0, "momentum": 0.9, "nesterov": False, "adjust_lr_fn": "match_rms_adamw"}
    theirs = torch.optim.Muon([twin], lr=LR, **options)
    optimiser = build({"name": "muon", "lr": LR, "momentum": 0.9, "nesterov": False}, STEPS)
    params = {"kernel": np.zeros(gradients[0].shape, np.float32)}
    state = optimiser.init(params)
    for gradient in gradients:
        updates, state = optimiser.update({"kernel": gradient}, state, params)
        params = optax.apply_updates(params, updates)
        twin.grad = torch.tensor(gradient)
        theirs.step()
    # PyTorch iterates in bfloat16.
    error = np.asarray(params["kernel"]) - twin.detach().numpy()
    assert np.linalg.norm(error) < 0.02 * np.linalg.norm(twin.detach().numpy())
